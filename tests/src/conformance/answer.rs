//! What a server answered, and what a case says of it.

use serde_json::Value;

/// An answer. The checks panic with the whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; a string where it is no JSON.
    pub body: Value,
    /// The texts of the `Warning` headers.
    pub warnings: Vec<String>,
}

impl Answer {
    /// The request was carried out, with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The request was refused with exactly these words.
    #[track_caller]
    pub fn refused(&self, code: u16, reason: &str, message: &str) {
        self.refused_as(code, reason);
        assert_eq!(self.body["message"], message, "{}", self.body);
    }

    /// The request was refused, with words that contain these.
    #[track_caller]
    pub fn refused_with(&self, code: u16, reason: &str, words: &str) {
        self.refused_as(code, reason);
        let message = self.body["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{}", self.body);
    }

    #[track_caller]
    fn refused_as(&self, code: u16, reason: &str) {
        let body = &self.body;
        assert_eq!(self.status, code, "{body}");
        assert_eq!(body["kind"], "Status", "{body}");
        assert_eq!(body["status"], "Failure", "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(
            body["reason"].as_str().unwrap_or_default(),
            reason,
            "{body}"
        );
    }

    /// The causes of a refusal, as `reason field: message`.
    pub fn causes(&self) -> Vec<String> {
        let causes = self.body["details"]["causes"].as_array();
        let text = |cause: &Value, key: &str| cause[key].as_str().unwrap_or_default().to_owned();
        let shown = |cause: &Value| {
            let (reason, field) = (text(cause, "reason"), text(cause, "field"));
            format!("{reason} {field}: {}", text(cause, "message"))
        };
        causes.into_iter().flatten().map(shown).collect()
    }
}
