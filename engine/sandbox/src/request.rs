//! What goes into the server and what comes out of it, without a socket.

use std::time::Duration;

/// An HTTP request, reduced to what the API looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The decoded query parameters, in order.
    pub query: Vec<(String, String)>,
    /// The media type of the body, empty if there is none.
    pub content_type: String,
    /// The media types that the client takes, most wanted first.
    pub accept: String,
    /// The body.
    pub body: Vec<u8>,
    /// The client's name; it stands in for a missing field manager.
    pub user_agent: String,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key.to_owned(), value.to_owned())
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs.map(pair).collect(),
            ..Self::default()
        }
    }

    /// The same request with a JSON body of the given media type.
    #[must_use]
    pub fn with(mut self, content_type: &str, body: &serde_json::Value) -> Self {
        content_type.clone_into(&mut self.content_type);
        self.body = body.to_string().into_bytes();
        self
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a query parameter says yes, as Kubernetes reads booleans.
    pub fn flag(&self, name: &str) -> bool {
        let says_no = |value: &str| value == "0" || value.eq_ignore_ascii_case("false");
        self.param(name).is_some_and(|value| !says_no(value))
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers, `Content-Type` among them.
    pub headers: Vec<(String, String)>,
    /// What follows.
    pub body: Body,
    /// How long the answer is held back; zero unless a fault says so.
    pub delay: Duration,
}

/// The body of a [`Response`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The whole answer.
    Full(Vec<u8>),
    /// A watch, read with `Server::poll_watch` until it is closed.
    Watch(WatchId),
    /// The connection broke: the client cannot know whether the request was carried out.
    Lost,
}

/// A watch that the server holds for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub(crate) u64);

/// What a watch has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchPoll {
    /// JSON lines, newline included, in order.
    Lines(Vec<Vec<u8>>),
    /// Nothing yet.
    Idle,
    /// The end: time is up, an error was sent, or a fault cut it.
    Closed,
}

impl Response {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::of(status, "application/json", body.to_string().into_bytes())
    }

    /// A JSON answer that is written already.
    pub(crate) fn text(status: u16, body: String) -> Self {
        Self::of(status, "application/json", body.into_bytes())
    }

    /// An answer of any media type.
    pub(crate) fn of(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: Body::Full(body),
            delay: Duration::ZERO,
        }
    }

    /// The start of a watch.
    pub(crate) fn watch(id: WatchId) -> Self {
        let mut response = Self::of(200, "application/json", Vec::new());
        response.body = Body::Watch(id);
        response
    }

    /// The body as JSON; `Null` for a watch, a lost answer, or what is no JSON.
    pub fn value(&self) -> serde_json::Value {
        match &self.body {
            Body::Full(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
            Body::Watch(_) | Body::Lost => serde_json::Value::Null,
        }
    }
}
