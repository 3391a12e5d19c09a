//! What the design has and this version does not: refused, with a sentence each.

/// Type, field, sentence.
pub(super) const FIELDS: &[(&str, &str, &str)] = &[
    (
        "ExperimentSpec",
        "extends",
        "templates are not built yet; write the fields out",
    ),
    (
        "ExperimentSpec",
        "data",
        "data sources are not built yet; mount a claim through `pod` or pass a URI in `environment`",
    ),
    (
        "ExperimentSpec",
        "files",
        "files in documents are not built yet; put them into the image",
    ),
    (
        "ExperimentSpec",
        "ports",
        "exposed ports are not built yet; they come with `TaskGateway`",
    ),
    (
        "Searcher",
        "maxTrials",
        "searchers with several trials are not built yet",
    ),
    (
        "Searcher",
        "maxConcurrentTrials",
        "searchers with several trials are not built yet",
    ),
    (
        "Searcher",
        "divisor",
        "searchers with several trials are not built yet",
    ),
    (
        "Searcher",
        "maxRungs",
        "searchers with several trials are not built yet",
    ),
    (
        "Searcher",
        "mode",
        "searchers with several trials are not built yet",
    ),
    (
        "Resources",
        "maxSlots",
        "`maxSlots` limits searchers, which are not built yet",
    ),
    ("Environment", "image", "the image is `spec.image`"),
    (
        "ClusterSpec",
        "drift",
        "drift rules are not built yet: pods are reported, everything else is corrected",
    ),
    (
        "ClusterSpec",
        "security",
        "security rules are not built yet; set them in `PodDefaults`",
    ),
    ("ClusterSpec", "network", "network rules are not built yet"),
    (
        "ClusterSpec",
        "placement",
        "placement rules are not built yet; set node selectors in `PodDefaults` or `Queue`",
    ),
    (
        "StatusRules",
        "remote",
        "a second repository for the status branch is not part of the document; give it to the daemon as `--status-remote`",
    ),
    (
        "QueueSpec",
        "reservation",
        "reservations of capacity are not built yet",
    ),
];

/// Type, value, sentence.
pub(super) const VALUES: &[(&str, &str, &str)] = &[
    (
        "SearcherName",
        "random",
        "the searcher `random` is not built yet; use `single`",
    ),
    (
        "SearcherName",
        "grid",
        "the searcher `grid` is not built yet; use `single`, one document a point",
    ),
    (
        "SearcherName",
        "adaptiveAsha",
        "the searcher `adaptiveAsha` is not built yet; use `single`",
    ),
    (
        "SearcherName",
        "adaptive_asha",
        "the searcher `adaptiveAsha` is not built yet; use `single`",
    ),
    (
        "ClusterState",
        "decommission",
        "`decommission` is not built yet; use `suspended`, then `berth uninstall`",
    ),
    (
        "Backend",
        "kueue",
        "the backend `kueue` is not built yet; use `native`",
    ),
];
