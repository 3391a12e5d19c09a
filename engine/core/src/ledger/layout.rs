//! Where things stand on the status branch.

use crate::ids::{DigestWriter, UnitId};

/// The format's version alone, so that an older Berth can refuse a newer branch.
pub const FORMAT_FILE: &str = "format";
/// Who this branch belongs to.
pub const IDENTITY: &str = "identity.yaml";
/// The last applied commit and the namespaces in use.
pub const APPLIED: &str = "applied.yaml";
/// Counts, for people.
pub const SUMMARY: &str = "summary.yaml";
/// Drift, for people.
pub const DRIFT_MD: &str = "drift.md";
/// Drift, for programs.
pub const DRIFT_JSON: &str = "drift.json";

/// The file of a unit: `<kind>/<2 hex>/<queue>.<name>.yaml`. Names hold no dot, so that no two
/// units share a file; the shard keeps folders small (10,000 files in one folder cost 250 kB of
/// new objects a commit).
pub fn unit_path(unit: &UnitId) -> String {
    let mut writer = DigestWriter::new("shard/v1");
    writer.field(unit.to_string().as_bytes());
    let shard = writer.finish().as_bytes()[0];
    let kind = unit.kind.as_str().to_lowercase();
    match &unit.queue {
        Some(queue) => format!("{kind}/{shard:02x}/{queue}.{}.yaml", unit.name),
        None => format!("{kind}/{shard:02x}/{}.yaml", unit.name),
    }
}
