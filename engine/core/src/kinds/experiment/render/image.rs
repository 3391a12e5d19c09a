//! Which image a pod runs, and where it is pulled from.

use super::build::{field_mut, items_mut};
use crate::desired::Scope;
use crate::kinds::cluster::RegistryRewrite;
use crate::kinds::experiment::{Experiment, size::has_gpus};
use crate::kinds::values::Image;
use crate::object::{Node, Place, Value};

/// The image of the task's container and where it is said: the document's, or the cluster's.
pub fn image(document: &Experiment, scope: &Scope) -> (String, Place) {
    if let Some(image) = &document.spec.image {
        return (image.to_string(), document.place(&["spec", "image"]));
    }
    let images = &scope.cluster.spec.images;
    let (image, field) = if has_gpus(document, &scope.cluster.spec) {
        (&images.gpu, "gpu")
    } else {
        (&images.cpu, "cpu")
    };
    let place = scope.cluster.place(&["spec", "images", field]);
    (
        image.as_ref().map_or_else(String::new, Image::to_string),
        place,
    )
}

/// Rewrites every image that a pod's spec pulls: those of its containers and of its volumes.
/// (Ephemeral containers are no part of what people write; init containers and sidecars are.)
pub fn rewrite_all(spec: &mut Node, rewrites: &[RegistryRewrite]) {
    let put = |node: Option<&mut Node>| {
        if let Some(node) = node
            && let Some(image) = node.as_str()
        {
            node.value = Value::String(rewrite(image, rewrites).into());
        }
    };
    for containers in ["initContainers", "containers"] {
        for container in field_mut(spec, containers).map_or(&mut [][..], items_mut) {
            put(field_mut(container, "image"));
        }
    }
    for volume in field_mut(spec, "volumes").map_or(&mut [][..], items_mut) {
        let source = field_mut(volume, "image");
        put(source.and_then(|source| field_mut(source, "reference")));
    }
}

/// The image with the longest prefix that fits replaced. A name without a registry also counts
/// as what it is short for: `ubuntu` is `docker.io/library/ubuntu`.
pub fn rewrite(image: &str, rewrites: &[RegistryRewrite]) -> String {
    let full = full_name(image);
    rewrites
        .iter()
        .filter_map(|rule| {
            let rest = [image, &full]
                .into_iter()
                .find_map(|name| name.strip_prefix(rule.from.as_str()))?;
            Some((rule, rest.to_owned()))
        })
        .max_by_key(|(rule, _)| rule.from.len())
        .map_or_else(
            || image.to_owned(),
            |(rule, rest)| format!("{}{rest}", rule.to),
        )
}

/// As container runtimes read image names: the part before the first `/` is a registry if it
/// holds a dot or a colon or is `localhost`.
fn full_name(image: &str) -> String {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_is_replaced() {
        let rule = |from: &str, to: &str| RegistryRewrite {
            from: from.into(),
            to: to.into(),
        };
        let rules = [
            rule("docker.io/", "mirror.lan/hub/"),
            rule("docker.io/library/", "mirror.lan/official/"),
            rule("quay.io/", "mirror.lan/quay/"),
        ];
        for (image, expected) in [
            ("ubuntu:24.04", "mirror.lan/official/ubuntu:24.04"),
            ("pytorch/pytorch", "mirror.lan/hub/pytorch/pytorch"),
            ("docker.io/a/b@sha256:1", "mirror.lan/hub/a/b@sha256:1"),
            ("quay.io/a/b", "mirror.lan/quay/a/b"),
            ("ghcr.io/docker.io/a", "ghcr.io/docker.io/a"),
            ("localhost/a", "localhost/a"),
        ] {
            assert_eq!(rewrite(image, &rules), expected);
        }
    }
}
