//! Why a server-side apply is refused.

use serde_json::{Value, json};

use super::managed::Manager;

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns it.
    pub manager: Manager,
    /// The field, as `.spec.replicas`.
    pub field: String,
}

/// All conflicts of one apply, by manager and field; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflicts {
    /// What goes into `details.causes` of the 409.
    pub fn causes(&self) -> Vec<Value> {
        let cause = |each: &Conflict| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", each.manager),
                "field": each.field,
            })
        };
        self.0.iter().map(cause).collect()
    }
}

/// The message of the 409.
impl std::fmt::Display for Conflicts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [only] = self.0.as_slice() {
            let Conflict { manager, field } = only;
            return write!(
                f,
                "Apply failed with 1 conflict: conflict with {manager}: {field}"
            );
        }
        write!(f, "Apply failed with {} conflicts: ", self.0.len())?;
        let mut last = None;
        for Conflict { manager, field } in &self.0 {
            if last != Some(manager) {
                let separator = if last.is_some() { "\n" } else { "" };
                write!(f, "{separator}conflicts with {manager}:")?;
            }
            last = Some(manager);
            write!(f, "\n- {field}")?;
        }
        Ok(())
    }
}

/// Why an apply gives no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Other managers own some of the fields: 409, reason `Conflict`.
    #[error("{0}")]
    Conflicts(Conflicts),
    /// The body may not say who owns what: 400.
    #[error("metadata.managedFields must be nil")]
    ManagedFields,
    /// The body does not fit the type: 500, as the API server answers.
    #[error("{0}")]
    Mistyped(String),
}
