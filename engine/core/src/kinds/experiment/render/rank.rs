//! What of a pod is of its rank alone. All else is the same for the pods of an attempt, so that it
//! is rendered once.

use serde_json::Value as Json;

use super::{PodRole, Subject};
use crate::observed::marks::{RANK, TASK};

/// The variable that says which rank a pod is.
pub const BERTH_RANK: &str = "BERTH_RANK";

/// The same, for torchrun.
pub const PET_NODE_RANK: &str = "PET_NODE_RANK";

/// How the peers of a pod call it.
pub fn host(rank: u32) -> String {
    format!("rank-{rank}")
}

/// Puts this rank into the body of another one of the same attempt.
pub fn set(subject: &Subject, pod: &mut Json, role: &PodRole) {
    let name = subject.names().pod(role.attempt, role.rank).name;
    let rank = role.rank.to_string();
    put(pod, &["metadata", "name"], &name);
    put(pod, &["metadata", "labels", RANK], &rank);
    if role.pods > 1 {
        put(pod, &["spec", "hostname"], &host(role.rank));
    }
    for variable in named_mut(field_mut(pod, &["spec", "containers"]), &[TASK])
        .flat_map(|task| named_mut(task.get_mut("env"), &[BERTH_RANK, PET_NODE_RANK]))
    {
        put(variable, &["value"], &rank);
    }
}

fn put(node: &mut Json, path: &[&str], text: &str) {
    if let Some(field) = field_mut(node, path) {
        *field = text.into();
    }
}

fn field_mut<'a>(node: &'a mut Json, path: &[&str]) -> Option<&'a mut Json> {
    path.iter().try_fold(node, |node, name| node.get_mut(*name))
}

/// The items of a list that have one of these names.
fn named_mut<'a>(list: Option<&'a mut Json>, names: &[&str]) -> impl Iterator<Item = &'a mut Json> {
    list.and_then(Json::as_array_mut)
        .into_iter()
        .flatten()
        .filter(move |item| {
            item.get("name")
                .and_then(Json::as_str)
                .is_some_and(|name| names.contains(&name))
        })
}
