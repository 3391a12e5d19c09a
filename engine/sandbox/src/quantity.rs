//! Amounts of resources, in thousandths.

use berth_openapi::quantity::{Format, Quantity};
use serde_json::Value;

/// Thousandths of a quantity; zero for what is none.
pub(crate) fn milli(value: &Value) -> i128 {
    Quantity::from_json(value).map_or(0, |quantity| quantity.millis())
}

/// A quantity as the real server writes it; bytes get a binary suffix.
pub(crate) fn text(resource: &str, milli: i128) -> String {
    let bytes = resource.ends_with("memory") || resource.ends_with("storage");
    let format = if bytes {
        Format::BinarySi
    } else {
        Format::DecimalSi
    };
    Quantity::from_nanos(milli.saturating_mul(1_000_000), format).to_string()
}
