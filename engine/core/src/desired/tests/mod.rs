//! What is in force after a snapshot.

mod gone;
mod holding;
mod properties;
mod shared;

use super::Desired;
use crate::diagnostic::{Code, Diagnostic};
use crate::ids::UnitId;

fn id(text: &str) -> UnitId {
    text.parse().unwrap()
}

fn codes(findings: &[Diagnostic]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

fn held(desired: &Desired) -> Vec<String> {
    desired
        .units()
        .filter(|unit| unit.held.is_some())
        .map(|unit| unit.id.to_string())
        .collect()
}

/// A file of these texts.
fn file(texts: &[&str]) -> String {
    texts.join("---\n")
}

fn names(desired: &Desired) -> Vec<&str> {
    let units = desired.units().filter(|unit| unit.id.kind.has_queue());
    units.map(|unit| unit.id.name.as_str()).collect()
}

/// All that a snapshot says, with the places as people read them.
fn whole(desired: &Desired) -> Vec<String> {
    let units = desired.units().map(|unit| {
        let path = desired.sources().get(unit.place.source).map(|it| &it.path);
        format!("{:?} {path:?} {:?}", unit, unit.place.span)
    });
    let findings = desired.findings().iter();
    let findings = findings.map(|finding| crate::reconciler::line(desired, finding));
    let frozen = desired.frozen().iter();
    let frozen = frozen.map(|(id, why)| format!("{id} is frozen: {why}"));
    units.chain(findings).chain(frozen).collect()
}
