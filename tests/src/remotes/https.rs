//! A small TLS server before `git http-backend`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::backend;
use super::certificates::Certified;

/// The token that the server wants.
pub const TOKEN: &str = "s3cret-t0ken-4711";
/// What clients send for it.
const SENT: &str = "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0LXQwa2VuLTQ3MTE=";

/// What has not happened by then never will.
const PATIENCE: Duration = Duration::from_mins(1);

/// How requests are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By `git http-backend`, to those who show [`TOKEN`]; by 401 to others.
    Serve,
    /// With this status.
    Status(u16),
    /// With 403 and a text that repeats what the client sent, as a careless proxy does.
    Echo,
    /// Elsewhere: to this address, with the same path; only those who show something.
    Redirect(String),
    /// Never, once something was shown.
    Hold,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method and the target.
    pub line: String,
    /// The header `Authorization`.
    pub authorization: String,
}

/// A listening server.
#[derive(Debug, Clone)]
pub struct Https {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
    answer: Answer,
    asked: Vec<Asked>,
}

/// A request as it was read.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Https {
    /// Serves the repositories below this folder, at this address of the loopback.
    pub fn start(host: &str, root: &Path, certified: Certified) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new((
                Mutex::new(State {
                    config: config(certified),
                    answer: Answer::Serve,
                    asked: Vec::new(),
                }),
                Condvar::new(),
            )),
        };
        let (serving, root) = (server.clone(), root.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, root) = (serving.clone(), root.clone());
                thread::spawn(move || server.serve(stream, &root));
            }
        });
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it shows this certificate.
    pub fn show(&self, certified: Certified) {
        self.state().config = config(certified);
    }

    /// From now on it answers so.
    pub fn answer(&self, answer: Answer) {
        self.state().answer = answer;
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// As if nobody had asked yet.
    pub fn forget(&self) {
        self.state().asked.clear();
    }

    /// Waits for a request in which a client shows something.
    pub fn wait_shown(&self) {
        let none = |state: &mut State| {
            let mut asked = state.asked.iter();
            asked.all(|asked| asked.authorization.is_empty())
        };
        let waited = self
            .state
            .1
            .wait_timeout_while(self.state(), PATIENCE, none);
        assert!(!waited.unwrap().1.timed_out(), "nobody showed anything");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }

    /// Answers one request and hangs up. A client that goes away in between is no fault.
    fn serve(&self, stream: TcpStream, root: &Path) {
        let config = Arc::clone(&self.state().config);
        let connection = ServerConnection::new(config).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(connection, stream));
        let Some(request) = Request::read(&mut stream) else {
            return;
        };
        let authorization = request.header("authorization");
        let held = !authorization.is_empty();
        let answer = {
            let mut state = self.state();
            state.asked.push(Asked {
                line: format!("{} {}", request.method, request.target),
                authorization,
            });
            state.answer.clone()
        };
        self.state.1.notify_all();
        if held && answer == Answer::Hold {
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
            return;
        }
        let bytes = respond(&answer, &request, root);
        let mut stream = stream.into_inner();
        let _ = stream.write_all(&bytes);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

pub(super) fn config(certified: Certified) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certified.chain, certified.key)
        .unwrap();
    Arc::new(config)
}

fn respond(answer: &Answer, request: &Request, root: &Path) -> Vec<u8> {
    let plain = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    };
    match answer {
        Answer::Status(status) => plain(&format!("{status} No"), "", ""),
        _ if request.header("authorization").is_empty() => {
            plain("401 Who?", "WWW-Authenticate: Basic realm=\"x\"\r\n", "")
        }
        Answer::Redirect(to) => {
            let place = format!("Location: {to}{}\r\n", request.target);
            plain("302 Elsewhere", &place, "")
        }
        Answer::Echo => {
            let sent = request.header("authorization");
            plain("403 No", "", &format!("you sent {sent}, which is {TOKEN}"))
        }
        Answer::Serve if request.header("authorization") != SENT => {
            plain("401 No", "WWW-Authenticate: Basic realm=\"x\"\r\n", "")
        }
        Answer::Serve | Answer::Hold => backend::answer(root, request),
    }
}

impl Request {
    fn read(stream: &mut impl BufRead) -> Option<Self> {
        let first = line(stream)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            match line(stream)? {
                header if header.is_empty() => break,
                header => headers.push(header),
            }
        }
        let mut request = Self {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        if request.header("transfer-encoding") == "chunked" {
            while let size @ 1.. = usize::from_str_radix(&line(stream)?, 16).ok()? {
                request.take(stream, size)?;
                line(stream)?;
            }
        } else {
            let size = request.header("content-length").parse().unwrap_or(0);
            request.take(stream, size)?;
        }
        Some(request)
    }

    fn take(&mut self, stream: &mut impl Read, size: usize) -> Option<()> {
        let start = self.body.len();
        self.body.resize(start + size, 0);
        stream.read_exact(&mut self.body[start..]).ok()
    }

    /// The value of a header; empty if there is none.
    pub(super) fn header(&self, name: &str) -> String {
        let value = |line: &String| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        };
        self.headers.iter().find_map(value).unwrap_or_default()
    }
}

/// A line without its end; none at the end of the stream.
fn line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end().to_owned()),
    }
}
