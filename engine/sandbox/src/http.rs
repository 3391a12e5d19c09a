//! The server behind a socket: plain HTTP for loopback, with an optional bearer token.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response as HttpResponse;
use futures::stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::{Body, Request, Response, Server, WatchId, WatchPoll};

const LARGEST_BODY: usize = 3 << 20;
const IDLE: Duration = Duration::from_secs(1);

/// A [`Server`] that listens. It ends when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug)]
struct Shared {
    server: Mutex<Server>,
    token: Mutex<Option<String>>,
    /// The revision after the newest change: whoever waits looks again.
    changed: watch::Sender<u64>,
}

impl Sandbox {
    /// Serves on a bound socket; with a token, requests must carry it.
    pub fn start(server: Server, listener: TcpListener, token: Option<String>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            token: Mutex::new(token),
            changed: watch::Sender::new(0),
        });
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // Ends with the task: there is nobody to tell.
            let _ = axum::serve(listener, router).await;
        });
        let ticking = tokio::spawn(tick(Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            tasks: [serving, ticking],
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks at the server or changes it; what waits for it is woken.
    pub fn with<T>(&self, look: impl FnOnce(&mut Server) -> T) -> T {
        self.shared.with(look)
    }

    /// The revision after the newest change: whoever follows it is woken by each.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// From now on requests must carry this token, as after a rotation.
    pub fn rotate(&self, token: String) {
        *self.shared.token() = Some(token);
    }

    /// A kubeconfig for kubectl and other clients.
    pub fn kubeconfig(&self) -> String {
        let token = self.shared.token().clone();
        let user = token.map_or_else(|| "{}".to_owned(), |token| format!("{{token: {token:?}}}"));
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: sandbox\n\
             clusters:\n- name: sandbox\n  cluster: {{server: \"http://{}\"}}\n\
             users:\n- name: sandbox\n  user: {user}\n\
             contexts:\n- name: sandbox\n  context: {{cluster: sandbox, user: sandbox, namespace: default}}\n",
            self.address
        )
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn token(&self) -> MutexGuard<'_, Option<String>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Server) -> T) -> T {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = look(&mut server);
        let revision = server.revision();
        drop(server);
        self.changed
            .send_if_modified(|known| std::mem::replace(known, revision) != revision);
        seen
    }
}

/// The time as the server takes it: milliseconds since the epoch. The only clock of the sandbox.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Lets the simulated cluster act whenever it has work.
async fn tick(shared: Arc<Shared>) {
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let due = shared.with(|server| {
            server.tick(now_ms());
            server.due()
        });
        let wait = due.map_or(3_600_000, |due| (due - now_ms()).max(1));
        let wait = Duration::from_millis(u64::try_from(wait).unwrap_or_default());
        // Either is fine: the time came, or something changed.
        let _ = tokio::time::timeout(wait, changed.changed()).await;
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: HttpRequest) -> HttpResponse {
    if !is_authorized(&shared, request.headers()) {
        return respond(
            &shared,
            Failure::new(401, "Unauthorized", "Unauthorized").into(),
        );
    }
    let request = match read(request).await {
        Ok(request) => request,
        Err(failure) => return respond(&shared, failure.into()),
    };
    let response = shared.with(|server| server.handle(now_ms(), &request));
    if !response.delay.is_zero() {
        tokio::time::sleep(response.delay).await;
    }
    respond(&shared, response)
}

fn is_authorized(shared: &Shared, headers: &HeaderMap) -> bool {
    let token = shared.token();
    let Some(token) = &*token else {
        return true;
    };
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    given.and_then(|given| given.strip_prefix("Bearer ")) == Some(token)
}

async fn read(request: HttpRequest) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let header = |name: header::HeaderName| {
        let value = parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let too_large = |_| {
        Failure::new(
            413,
            "RequestEntityTooLarge",
            "Request entity too large: limit is 3145728",
        )
    };
    let query = parts.uri.query().unwrap_or_default();
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        path: decoded(parts.uri.path(), false),
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(pair)
            .collect(),
        content_type: header(header::CONTENT_TYPE),
        accept: header(header::ACCEPT),
        user_agent: header(header::USER_AGENT),
        body: to_bytes(body, LARGEST_BODY)
            .await
            .map_err(too_large)?
            .to_vec(),
    })
}

fn pair(pair: &str) -> (String, String) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(key, true), decoded(value, true))
}

/// Undoes percent encoding; in a query a plus is a space.
fn decoded(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, hex(tail)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) if plus => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

fn respond(shared: &Arc<Shared>, response: Response) -> HttpResponse {
    let body = match response.body {
        Body::Full(bytes) => HttpBody::from(bytes),
        Body::Watch(id) => watched(shared, id),
        Body::Lost => HttpBody::from_stream(stream::once(async {
            Err::<Vec<u8>, io::Error>(io::ErrorKind::ConnectionReset.into())
        })),
    };
    let mut built = HttpResponse::builder()
        .status(StatusCode::from_u16(response.status).unwrap_or(StatusCode::OK));
    for (name, value) in response.headers {
        built = built.header(name, value);
    }
    built.body(body).unwrap_or_default()
}

/// A watch that a client holds; dropped with the connection.
struct Held {
    shared: Arc<Shared>,
    id: WatchId,
    changed: watch::Receiver<u64>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let id = self.id;
        self.shared.with(|server| server.close_watch(id));
    }
}

fn watched(shared: &Arc<Shared>, id: WatchId) -> HttpBody {
    let held = Held {
        shared: Arc::clone(shared),
        id,
        changed: shared.changed.subscribe(),
    };
    HttpBody::from_stream(stream::unfold(held, |mut held| async move {
        let lines = held.next().await?;
        Some((Ok::<_, Infallible>(lines), held))
    }))
}

impl Held {
    /// The next lines; `None` at the end.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            self.changed.borrow_and_update();
            let id = self.id;
            match self.shared.with(|server| server.poll_watch(now_ms(), id)) {
                WatchPoll::Lines(lines) => return Some(lines.concat()),
                WatchPoll::Closed => return None,
                WatchPoll::Idle => {
                    // Either is fine: something changed, or the time may be up.
                    let _ = tokio::time::timeout(IDLE, self.changed.changed()).await;
                }
            }
        }
    }
}
