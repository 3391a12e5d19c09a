//! Annotations of the pods, one of which holds the hyperparameters: Kubernetes bounds all together.

use crate::desired::Scope;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::experiment::Experiment;
use crate::kinds::experiment::hyperparameters;
use crate::kinds::experiment::render::{layer_nodes, merged_layers};
use crate::object::{Key, Node};

/// What the hyperparameters may take, as JSON.
const HYPERPARAMETERS: usize = 128 * 1024;
/// What they and the annotations of all layers may take together. Kubernetes takes 256 KiB
/// (`TotalAnnotationSizeLimitB`); the rest is for Berth's own, and those of others in the cluster.
const TOGETHER: usize = 240 * 1024;

/// The hyperparameters fit into an annotation.
pub(super) fn hyperparameters(document: &Experiment) -> Option<Diagnostic> {
    let bytes = file_bytes(document);
    (bytes > HYPERPARAMETERS).then(|| {
        let cause = format!(
            "the hyperparameters take {bytes} bytes as JSON, and a pod carries at most {HYPERPARAMETERS}"
        );
        let place = document.place(&["spec", "hyperparameters"]);
        Diagnostic::error(Code::TooLarge, place, cause)
            .help("put what is large into the image, a volume or object storage, and name it here")
    })
}

/// All annotations of a pod fit into it.
pub(super) fn together(document: &Experiment, scope: &Scope) -> Option<Diagnostic> {
    let file = file_bytes(document);
    let layers = layer_nodes(document, scope).into_iter().flatten();
    let said = layers.filter_map(|layer| layer.at(&["metadata", "annotations"]));
    let own = document.at(&["metadata", "annotations"]);
    let most: usize = said.chain(own).map(bytes).sum();
    // Merging costs more, and hardly anybody comes near.
    if file + most <= TOGETHER {
        return None;
    }
    let merged = merged_layers(document, scope);
    let merged = merged.at(&["metadata", "annotations"])?;
    let all = file + bytes(merged);
    (all > TOGETHER).then(|| {
        let cause = format!(
            "the annotations of a pod take {all} bytes with the hyperparameters, at most {TOGETHER} are possible"
        );
        let place = document.place(&["spec", "hyperparameters"]);
        let finding = Diagnostic::error(Code::TooLarge, place, cause);
        let largest = merged.entries().iter().max_by_key(|entry| length(entry));
        let finding = match largest {
            Some((key, _)) => finding.related(key.place, "the largest annotation"),
            None => finding,
        };
        finding.help("shorten the annotations, or keep large values outside of Kubernetes and name them")
    })
}

fn file_bytes(document: &Experiment) -> usize {
    hyperparameters::file(&document.spec.hyperparameters).len()
}

fn bytes(annotations: &Node) -> usize {
    annotations.entries().iter().map(length).sum()
}

fn length((key, value): &(Key, Node)) -> usize {
    key.name.len() + value.as_str().map_or(0, str::len)
}
