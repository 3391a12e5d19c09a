//! The merged pod: what one part of it names in another is there.

use super::is_partial;
use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic, closest, cut};
use crate::kinds::experiment::Experiment;
use crate::kinds::experiment::render::{merged_fields, own_volumes};
use crate::kinds::values::Image;
use crate::object::{Node, SourceId};
use crate::observed::marks::TASK;

/// Every mount names a volume of the pod, and every container has an image that can be pulled; the
/// task's is the document's own. What another document's layer says is told at the experiment's name, as only
/// the whole pod is at fault.
pub(super) fn check(document: &Experiment, scope: &Scope) -> Vec<Diagnostic> {
    let fields = ["containers", "initContainers", "volumes"];
    let merged = merged_fields(document, scope, &fields);
    let items = |field| merged.at(&["spec", field]).map_or(&[][..], Node::items);
    let volumes: Vec<&str> = items("volumes")
        .iter()
        .filter_map(|volume| text(volume, "name"))
        .chain(own_volumes(document))
        .collect();
    let containers = items("initContainers").iter().chain(items("containers"));
    let whole = !is_partial(document, scope);
    containers
        .flat_map(|container| {
            let mounts = whole.then(|| mounts(container, &volumes));
            let image = image(container, whole);
            mounts.into_iter().flatten().chain(image)
        })
        .map(|finding| at_home(document, finding))
        .collect()
}

fn text<'a>(node: &'a Node, field: &str) -> Option<&'a str> {
    node.get(field).and_then(Node::as_str)
}

fn mounts(container: &Node, volumes: &[&str]) -> Vec<Diagnostic> {
    let lists = ["volumeMounts", "volumeDevices"];
    let mounts = lists.into_iter().filter_map(|list| container.get(list));
    let names = mounts
        .flat_map(Node::items)
        .filter_map(|mount| mount.get("name"));
    let unknown = |node: &Node| {
        let name = node.as_str().filter(|name| !volumes.contains(name))?;
        let cause = format!("the pod has no volume `{}`", cut(name));
        let finding = Diagnostic::error(Code::UnresolvedReference, node.place, cause);
        Some(match closest(name, volumes.iter().copied()) {
            Some(close) => finding.help(format!("did you mean `{close}`?")),
            None => finding.help(format!(
                "add it to `volumes`, which holds {}",
                list(volumes)
            )),
        })
    };
    names.filter_map(unknown).collect()
}

/// That a container has no image, if the pod is known as a whole, or none that can be pulled.
fn image(container: &Node, whole: bool) -> Option<Diagnostic> {
    let (name, node) = container.get("name").map(|node| (node.as_str(), node))?;
    let name = name.filter(|name| *name != TASK)?;
    if let Some(image) = container.get("image")
        && let Some(said) = image.as_str().filter(|said| !said.is_empty())
    {
        let invalid = said.parse::<Image>().err()?;
        let finding = Diagnostic::error(Code::OutOfRange, image.place, invalid.to_string());
        return Some(
            finding.help("write it as `[registry/]path[:tag][@digest]`, the path in lower case"),
        );
    }
    if !whole {
        return None;
    }
    let cause = format!("the container `{}` has no `image`", cut(name));
    let finding = Diagnostic::error(Code::MissingField, node.place, cause);
    Some(match closest(name, [TASK]) {
        Some(_) => finding.help(format!(
            "did you mean `{TASK}`, the container of the program?"
        )),
        None => finding.help(format!(
            "add `image`; the container of the program is called `{TASK}`"
        )),
    })
}

/// A finding of the experiment points into the experiment: to its name, or to its beginning if the
/// name itself is at fault.
pub(super) fn at_home(document: &Experiment, finding: Diagnostic) -> Diagnostic {
    let name = document.place(&["metadata", "name"]);
    let home = match name.source {
        SourceId::ENGINE => document.source.place,
        _ => name,
    };
    match finding.place {
        Some(place) if place.source != home.source => Diagnostic {
            place: Some(home),
            ..finding
        }
        .related(place, "in this layer of its pod"),
        _ => finding,
    }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", cut(name)))
        .collect();
    quoted.join(", ")
}
