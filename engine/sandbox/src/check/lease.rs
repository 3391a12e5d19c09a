//! Leases: numbers that make sense.

use serde_json::Value;

use crate::cause::Cause;
use crate::object::number;

pub(super) fn faults(lease: &Value) -> Vec<Cause> {
    let bounds = [
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ];
    let fault = |(field, least, detail): (&str, i64, &str)| {
        let found = number(lease, &["spec", field]).filter(|found| *found < least)?;
        Some(Cause::invalid(
            &format!("spec.{field}"),
            &found.into(),
            detail,
        ))
    };
    bounds.into_iter().filter_map(fault).collect()
}
