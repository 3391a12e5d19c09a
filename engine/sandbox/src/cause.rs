//! What is wrong with a field, in the words of the real server.

use std::fmt::Display;

use serde_json::Value;

/// One fault of an invalid object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Cause {
    fn new(reason: &'static str, field: &str, message: String) -> Self {
        Self {
            reason,
            field: field.to_owned(),
            message,
        }
    }

    pub(crate) fn required(field: &str, detail: &str) -> Self {
        let message = with_detail("Required value", detail);
        Self::new("FieldValueRequired", field, message)
    }

    pub(crate) fn forbidden(field: &str, detail: &str) -> Self {
        let message = with_detail("Forbidden", detail);
        Self::new("FieldValueForbidden", field, message)
    }

    pub(crate) fn invalid(field: &str, value: &Value, detail: &str) -> Self {
        let message = with_detail(&format!("Invalid value: {value}"), detail);
        Self::new("FieldValueInvalid", field, message)
    }

    pub(crate) fn not_found(field: &str, value: &str) -> Self {
        let message = format!("Not found: {value:?}");
        Self::new("FieldValueNotFound", field, message)
    }

    pub(crate) fn duplicate(field: &str, value: &impl Display) -> Self {
        let message = format!("Duplicate value: {value}");
        Self::new("FieldValueDuplicate", field, message)
    }

    pub(crate) fn unsupported(field: &str, value: &Value, known: &[&str]) -> Self {
        let known: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
        let known = format!("supported values: {}", known.join(", "));
        let message = with_detail(&format!("Unsupported value: {value}"), &known);
        Self::new("FieldValueNotSupported", field, message)
    }

    pub(crate) fn too_long(field: &str, most: usize) -> Self {
        let message = format!("Too long: may not be more than {most} bytes");
        Self::new("FieldValueTooLong", field, message)
    }
}

fn with_detail(what: &str, detail: &str) -> String {
    if detail.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {detail}")
    }
}
