//! JSON Schemas of the documents, made from their types, and the validator that uses them.

mod explain;
mod generate;
mod json;
mod not_built;
mod page;

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

pub use generate::all;
pub use page::reference;

use crate::diagnostic::Diagnostic;
use crate::ids::DocumentKind;
use crate::object::Node;
use json::NodeJson;

/// One kind's schema, ready to use.
struct Checker {
    kind: DocumentKind,
    schema: Value,
    validator: Option<Validator<NodeJson>>,
}

/// Compiled once. A schema of ours that does not compile is a fault that a test finds.
static CHECKERS: LazyLock<Vec<Checker>> = LazyLock::new(|| {
    DocumentKind::BUILT
        .into_iter()
        .map(|kind| {
            let schema = generate::of_kind(kind);
            let validator = jsonschema::options_for::<NodeJson>().build(&schema).ok();
            Checker {
                kind,
                schema,
                validator,
            }
        })
        .collect()
});

/// Checks a document of this kind against the kind's schema; all findings, in the order of the text.
pub(super) fn check(kind: DocumentKind, document: &Node) -> Vec<Diagnostic> {
    let Some(checker) = CHECKERS.iter().find(|checker| checker.kind == kind) else {
        return Vec::new();
    };
    let Some(validator) = &checker.validator else {
        return Vec::new();
    };
    let mut findings: Vec<Diagnostic> = validator
        .iter_errors(document)
        .flat_map(|error| explain::explain(kind, &checker.schema, document, &error))
        .collect();
    findings.sort_by_key(|finding| finding.place);
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles() {
        assert_eq!(CHECKERS.len(), DocumentKind::BUILT.len());
        assert!(CHECKERS.iter().all(|checker| checker.validator.is_some()));
    }
}
