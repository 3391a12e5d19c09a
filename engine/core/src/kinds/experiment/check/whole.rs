//! The merged pod: what one layer may leave to another, one of them says.

use super::is_partial;
use super::named::at_home;
use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::experiment::Experiment;
use crate::kinds::experiment::render::{layer_nodes, merged_fields};
use crate::object::{Node, Value};

const POLICY: &str = "dnsPolicy";
const CONFIG: &str = "dnsConfig";
const SPREADS: &str = "topologySpreadConstraints";

/// `dnsPolicy: None` comes with name servers, and spreads are whole: the server refuses a pod else
/// (`validatePodDNSConfig`, `validateTopologySpreadConstraints` of Kubernetes' own validation).
pub(super) fn check(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let says = |layer: &Node| {
        let fields = [POLICY, SPREADS].into_iter();
        fields
            .filter_map(|field| layer.at(&["spec", field]))
            .count()
            > 0
    };
    // Merging costs more, and hardly anybody says so.
    let mut layers = layer_nodes(document, scope).into_iter().flatten();
    if !layers.any(says) || is_partial(document, scope) {
        return Vec::new();
    }
    let merged = merged_fields(document, scope, &[POLICY, CONFIG, SPREADS]);
    let found = servers(&merged).into_iter().chain(spreads(&merged));
    found.map(|finding| at_home(document, finding)).collect()
}

fn servers(merged: &Node) -> Option<Diagnostic> {
    let policy = merged.at(&["spec", POLICY])?;
    let servers = merged.at(&["spec", CONFIG, "nameservers"]);
    let none = policy.as_str() == Some("None") && servers.is_none_or(|it| it.items().is_empty());
    none.then(|| {
        let cause = "`dnsPolicy: None` needs `dnsConfig.nameservers`";
        Diagnostic::error(Code::MissingField, policy.place, cause)
            .help("add the address of a name server, or leave `dnsPolicy` out")
    })
}

fn spreads(merged: &Node) -> Vec<Diagnostic> {
    let items = merged.at(&["spec", SPREADS]).map_or(&[][..], Node::items);
    let missing = |item: &Node| {
        let said = |field: &str| item.get(field).is_some_and(|it| it.value != Value::Null);
        let field = ["maxSkew", "whenUnsatisfiable"]
            .into_iter()
            .find(|it| !said(it))?;
        let cause = format!("an item of `{SPREADS}` has no `{field}`");
        let finding = Diagnostic::error(Code::MissingField, item.place, cause);
        Some(finding.help(format!("add `{field}`")))
    };
    items.iter().filter_map(missing).collect()
}
