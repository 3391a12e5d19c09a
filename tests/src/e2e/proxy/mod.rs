//! A proxy between the daemon and the API server, of either kind, that makes bad weather: it cuts
//! watches, holds back and loses answers, throttles and breaks. A seed decides what becomes of the
//! nth request of a method and path, so that a failure can be played again.

mod fate;
mod hurry;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::fate::Faults;
use self::fate::{Fate, draw};
use self::hurry::Hurry;
use super::cluster::shared;
use super::wake::Wake;
use crate::controlplane;
use crate::simulation::Random;

const LARGEST_BODY: usize = 3 << 20;

/// The fate of a pod that was made, and whose maker was not told: its answer was lost.
pub const UNHEARD: &str = "pod made unheard";

/// The seed of this run: `BERTH_SEED`, or 1.
pub fn seed() -> u64 {
    let text = std::env::var("BERTH_SEED").unwrap_or_else(|_| "1".to_owned());
    text.parse()
        .unwrap_or_else(|_| panic!("BERTH_SEED is no number: {text:?}"))
}

/// The seeds of a test that plays several: `BERTH_SEED` alone, or these.
pub fn seeds(usual: &[u64]) -> Vec<u64> {
    match std::env::var_os("BERTH_SEED") {
        Some(_) => vec![seed()],
        None => usual.to_vec(),
    }
}

/// A proxy that listens. Dropped, it ends.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    upstream: kube::Client,
    seed: u64,
    weather: Mutex<Weather>,
    /// Counts the cuts of all watches at once.
    cuts: watch::Sender<u64>,
    wake: Wake,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "seed {}", self.seed)
    }
}

#[derive(Default)]
struct Weather {
    faults: Faults,
    /// How often each method and path was asked.
    asked: BTreeMap<String, u64>,
    /// How often each fate came true.
    came: BTreeMap<&'static str, u64>,
    /// Who came back before the time that was told.
    hurry: Hurry,
    /// How many changes of each kind were asked for, those of Leases apart.
    changes: BTreeMap<String, u64>,
    /// How many lists were asked for, also as the beginning of a watch.
    lists: u64,
    /// Lists that are asked for as the beginning of a watch are refused.
    pages: bool,
    /// The answer to this change never comes.
    hold: Option<(String, u64)>,
    /// It was carried out, and its answer does not come.
    holds: bool,
}

impl Proxy {
    /// Stands before the server of a kubeconfig; the weather is fine until it is changed.
    pub fn start(kubeconfig: &Path, seed: u64, wake: Wake) -> Self {
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        shared::run(async move {
            let shared = Arc::new(Shared {
                upstream: controlplane::client(&text).await.unwrap(),
                seed,
                weather: Mutex::default(),
                cuts: watch::Sender::new(0),
                wake,
            });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router = Router::new()
                .fallback(serve)
                .with_state(Arc::clone(&shared));
            let serving = tokio::spawn(async move {
                // Ends with the task: there is nobody to tell.
                let _ = axum::serve(listener, router).await;
            });
            Self {
                address,
                shared,
                serving,
            }
        })
    }

    /// A kubeconfig that goes through it, of one that does not.
    pub fn kubeconfig(&self, direct: &Path) -> String {
        let text = std::fs::read_to_string(direct).unwrap();
        let mut config: Value = serde_saphyr::from_str(&text).unwrap();
        config["clusters"][0]["cluster"] = json!({"server": format!("http://{}", self.address)});
        config.to_string()
    }

    /// The weather from now on.
    pub fn set(&self, faults: Faults) {
        self.shared.weather().faults = faults;
    }

    /// The answer to the nth change of a kind, such as `POST pods`, will never come.
    pub fn hold(&self, kind: &str, number: u64) {
        self.shared.weather().hold = Some((kind.to_owned(), number));
    }

    /// Whether the change that [`Proxy::hold`] named was carried out and waits for its answer.
    pub fn holds(&self) -> bool {
        self.shared.weather().holds
    }

    /// How many changes of each kind were asked for so far, those of Leases apart.
    pub fn changes(&self) -> BTreeMap<String, u64> {
        self.shared.weather().changes.clone()
    }

    /// Whether the server is one of those that cannot stream a list: the client must ask for pages.
    pub fn refuse_streamed_lists(&self, refuse: bool) {
        self.shared.weather().pages = refuse;
    }

    /// How many lists were asked for so far, also as the beginning of a watch.
    pub fn lists(&self) -> u64 {
        self.shared.weather().lists
    }

    /// Cuts all watches now.
    pub fn cut_watches(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// The requests that came again before the time that `Retry-After` had told, one line each.
    pub fn hurried(&self) -> Vec<String> {
        self.shared.weather().hurry.found.clone()
    }

    /// The seed and what it made of the requests, for the report of a test that fails.
    pub fn describe(&self) -> String {
        let came = &self.shared.weather().came;
        format!("proxy: seed {}, {came:?}\n", self.shared.seed)
    }

    /// How often a fate came true, such as `answer lost`, or [`UNHEARD`].
    pub fn came(&self, fate: &str) -> u64 {
        self.shared.weather().came.get(fate).copied().unwrap_or(0)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
        self.cut_watches();
    }
}

impl Shared {
    fn weather(&self) -> std::sync::MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, parts: &Parts, body: &Bytes) -> Fate {
        let mut weather = self.weather();
        let key = format!("{} {}", parts.method, unnumbered(parts.uri.path()));
        let count = weather.asked.entry(key.clone()).or_default();
        *count += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, key, *count).hash(&mut hasher);
        let mut random = Random::new(hasher.finish());
        let fate = draw(weather.faults, is_watch(parts), &mut random);
        weather.lists += u64::from(asks(parts, &["sendInitialEvents=true", "limit="]));
        let (now, request) = (Instant::now(), hurry::named(parts, body));
        weather.hurry.came(now, &request);
        if let Fate::Throttled(seconds) | Fate::Away(seconds) = fate {
            let wait = Duration::from_secs(seconds);
            weather.hurry.told(now, request, wait);
        }
        fate
    }

    fn count(&self, fate: &'static str) {
        *self.weather().came.entry(fate).or_default() += 1;
    }

    /// Counts a change; whether its answer is to be held.
    fn counts(&self, parts: &Parts) -> bool {
        let resource = resource(parts.uri.path());
        if parts.method == Method::GET || resource == "leases" {
            return false;
        }
        let kind = format!("{} {resource}", parts.method);
        let mut weather = self.weather();
        let number = weather.changes.entry(kind.clone()).or_default();
        *number += 1;
        let this = (kind, *number);
        weather.hold.as_ref() == Some(&this)
    }
}

/// A path without the number of the stage, so that a seed always makes the same weather.
fn unnumbered(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    if let Some(at) = parts.iter().position(|part| *part == "namespaces")
        && let Some(namespace) = parts.get_mut(at + 1)
    {
        *namespace = namespace.trim_end_matches(|digit: char| digit.is_ascii_digit());
    }
    parts.join("/")
}

/// `pods` of a path within a namespace.
fn resource(path: &str) -> &str {
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces");
    parts.nth(2).unwrap_or_default()
}

fn is_watch(parts: &Parts) -> bool {
    asks(parts, &["watch=true", "watch=1"])
}

/// Whether its query has a part that begins so.
fn asks(parts: &Parts, beginnings: &[&str]) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let mut query = query.split('&');
    query.any(|pair| beginnings.iter().any(|one| pair.starts_with(one)))
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return broken();
    };
    if shared.weather().pages && asks(&parts, &["sendInitialEvents="]) {
        let words =
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        return status(422, "Invalid", words);
    }
    let fate = shared.fate(&parts, &body);
    if let Some(answer) = not_carried_out(fate) {
        shared.count(fate.name());
        return answer;
    }
    let watches = is_watch(&parts);
    let makes_pod = parts.method == Method::POST && parts.uri.path().ends_with("/pods");
    let is_held = shared.counts(&parts);
    let cuts = shared.cuts.subscribe();
    let Some(answer) = forward(&shared.upstream, parts, body).await else {
        return broken();
    };
    if is_held {
        shared.weather().holds = true;
        shared.wake.ring();
        std::future::pending::<()>().await;
    }
    match fate {
        Fate::LostAfter => {
            let (head, body) = answer.into_parts();
            // All of it, so that the server is done.
            let _ = to_bytes(body, usize::MAX).await;
            shared.count(fate.name());
            if makes_pod && head.status == StatusCode::CREATED {
                shared.count(UNHEARD);
            }
            return broken();
        }
        Fate::Delayed(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        _ => {}
    }
    let end = match fate {
        Fate::Cut(pieces, ms) => Some((pieces, Duration::from_millis(ms))),
        _ => None,
    };
    if end.is_none() {
        shared.count(fate.name());
    }
    if watches {
        cut(answer, (cuts, shared), end)
    } else {
        answer
    }
}

/// The answer to a request that nobody carries out.
fn not_carried_out(fate: Fate) -> Option<Response> {
    Some(match fate {
        Fate::LostBefore => broken(),
        Fate::Throttled(wait) => later(wait, status(429, "TooManyRequests", "the server is busy")),
        Fate::Away(wait) => later(
            wait,
            status(503, "ServiceUnavailable", "the weather is bad"),
        ),
        Fate::Failed => status(500, "InternalError", "the weather is bad"),
        Fate::Expired => status(410, "Expired", "too old resource version: 1 (2)"),
        Fate::Fine | Fate::LostAfter | Fate::Delayed(_) | Fate::Cut(..) => return None,
    })
}

/// The server's answer; none if it does not answer.
async fn forward(upstream: &kube::Client, mut parts: Parts, body: Bytes) -> Option<Response> {
    for name in [
        header::HOST,
        header::AUTHORIZATION,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        parts.headers.remove(name);
    }
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let answer = upstream.send(request).await.ok()?;
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.remove(header::CONNECTION);
    Some(Response::from_parts(parts, Body::new(body)))
}

/// A connection that breaks before there is an answer.
fn broken() -> Response {
    let error = std::io::Error::other("the line is cut");
    let nothing = stream::iter([Err::<Bytes, _>(error)]);
    Response::new(Body::from_stream(nothing))
}

/// A watch that ends with all others, or by itself: after so many pieces, and half of the next, or
/// after a time.
fn cut(
    answer: Response,
    (mut cuts, shared): (watch::Receiver<u64>, Arc<Shared>),
    end: Option<(usize, Duration)>,
) -> Response {
    let (parts, body) = answer.into_parts();
    let (pieces, after) = end.unwrap_or((usize::MAX, Duration::MAX));
    let until = async move {
        let lasts = async {
            match end {
                Some(_) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = lasts => {}
            _ = cuts.changed() => {}
        }
    };
    let whole = body.into_data_stream();
    let some = whole
        .enumerate()
        .take(pieces.saturating_add(1))
        .map(move |(number, piece)| {
            let piece = piece.map_err(std::io::Error::other)?;
            Ok(if number == pieces {
                piece.slice(..piece.len() / 2)
            } else {
                piece
            })
        });
    let ending = stream::once(async move {
        if end.is_some() {
            shared.count(Fate::CUT);
        }
        Err(std::io::Error::other("the line is cut"))
    });
    let stream = some.take_until(until).chain(ending);
    Response::from_parts(parts, Body::from_stream(stream))
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, axum::Json(body)).into_response()
}

/// An answer that says when to come back.
fn later(seconds: u64, mut answer: Response) -> Response {
    let seconds = HeaderValue::from(seconds);
    answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    answer
}
