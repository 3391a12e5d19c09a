//! A watch under test.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;

use super::Transcript;

const PATIENCE: Duration = Duration::from_secs(15);

/// An open watch; dropping it closes it.
#[derive(Debug)]
pub struct Watch {
    /// The HTTP status with which it was opened.
    pub status: u16,
    body: Body,
    buffered: Vec<u8>,
    transcript: Arc<Mutex<Transcript>>,
}

impl Watch {
    pub(super) fn new(response: http::Response<Body>, transcript: Arc<Mutex<Transcript>>) -> Self {
        Self {
            status: response.status().as_u16(),
            body: response.into_body(),
            buffered: Vec::new(),
            transcript,
        }
    }

    /// The next event; panics at the end and after a long silence.
    pub async fn next(&mut self) -> Value {
        match self.event().await {
            Some(event) => event,
            None => panic!("the watch ended"),
        }
    }

    /// The next event of the type, with its object; bookmarks that nobody waits for are passed over.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let mut event = self.next().await;
        while kind != "BOOKMARK" && event["type"] == "BOOKMARK" {
            event = self.next().await;
        }
        assert_eq!(event["type"], kind, "{event}");
        event["object"].take()
    }

    /// The next event; nothing at the end.
    pub async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffered.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffered.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line)
                    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)));
                let mut transcript = self
                    .transcript
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                transcript.event(&event);
                return Some(event);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.unwrap_or_else(|_| panic!("the watch is silent"))?;
            let frame = frame.unwrap_or_else(|error| panic!("the watch broke: {error}"));
            self.buffered
                .extend_from_slice(&frame.into_data().unwrap_or_default());
        }
    }
}
