//! Whose a pod field is.

/// Where a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The pod's `metadata`.
    Metadata,
    /// The pod's `spec`.
    Spec,
    /// The container `task`.
    Task,
    /// Any other container beside it.
    Sidecar,
}

/// The fields that Berth sets itself, and what to do instead.
pub(super) const OWNED: &[(Part, &str, &str)] = &[
    (Part::Metadata, "name", NAMES),
    (Part::Metadata, "generateName", NAMES),
    (Part::Metadata, "namespace", "the namespace is the queue's"),
    (Part::Metadata, "uid", SERVER),
    (Part::Metadata, "resourceVersion", SERVER),
    (Part::Metadata, "generation", SERVER),
    (Part::Metadata, "creationTimestamp", SERVER),
    (Part::Metadata, "deletionTimestamp", SERVER),
    (Part::Metadata, "deletionGracePeriodSeconds", SERVER),
    (Part::Metadata, "managedFields", SERVER),
    (Part::Metadata, "selfLink", SERVER),
    (
        Part::Metadata,
        "ownerReferences",
        "leave it out: Berth alone decides when a pod goes",
    ),
    (
        Part::Metadata,
        "finalizers",
        "leave it out: a pod stays until its outcome is recorded",
    ),
    (
        Part::Spec,
        "restartPolicy",
        "leave it out: Berth restarts all pods of a trial; see `maxRestarts`",
    ),
    (Part::Spec, "hostname", RENDEZVOUS),
    (Part::Spec, "hostnameOverride", RENDEZVOUS),
    (Part::Spec, "subdomain", RENDEZVOUS),
    (Part::Spec, "setHostnameAsFQDN", RENDEZVOUS),
    (
        Part::Spec,
        "nodeName",
        "use `nodeSelector` or `affinity`: a pod that names its node passes the scheduler by",
    ),
    (Part::Spec, "activeDeadlineSeconds", "use `spec.maxRuntime`"),
    (
        Part::Spec,
        "schedulingGates",
        "leave it out: the queue decides when a pod starts",
    ),
    (
        Part::Spec,
        "ephemeralContainers",
        "leave it out: `kubectl debug` adds them to a running pod",
    ),
    (
        Part::Spec,
        "priority",
        "use `resources.priority` for the order within the queue; the server sets it from `priorityClassName`",
    ),
    (Part::Spec, "serviceAccount", "use `serviceAccountName`"),
    (Part::Task, "image", "use `spec.image`"),
    (Part::Task, "command", "use `spec.entrypoint`"),
    (Part::Task, "args", "use `spec.entrypoint`"),
    (
        Part::Task,
        "workingDir",
        "leave it out: the program works in /run/berth/work",
    ),
    (
        Part::Task,
        "ports",
        "leave it out: exposed ports come with `TaskGateway`, which is not built yet",
    ),
    (Part::Task, "livenessProbe", PROBE),
    (Part::Task, "readinessProbe", PROBE),
    (Part::Task, "startupProbe", PROBE),
    (Part::Task, "lifecycle", PROBE),
    (
        Part::Task,
        "restartPolicy",
        "leave it out: Berth restarts all pods of a trial; see `maxRestarts`",
    ),
    (
        Part::Task,
        "restartPolicyRules",
        "leave it out: Berth restarts all pods of a trial; see `maxRestarts`",
    ),
    (Part::Task, "terminationMessagePath", WORDS),
    (Part::Task, "terminationMessagePolicy", WORDS),
    (Part::Task, "stdin", "leave it out: nobody is there to type"),
    (
        Part::Task,
        "stdinOnce",
        "leave it out: nobody is there to type",
    ),
    (Part::Task, "tty", "leave it out: nobody is there to type"),
    (Part::Sidecar, "restartPolicy", SIDECAR),
    (Part::Sidecar, "restartPolicyRules", SIDECAR),
];

const NAMES: &str =
    "leave it out: Berth names pods after the document, run, trial, attempt and rank";
const SERVER: &str = "leave it out: the server sets it";
const RENDEZVOUS: &str = "leave it out: the pods of a trial find each other by it";
const PROBE: &str = "leave it out: a trial ends when its program ends";
const WORDS: &str = "leave it out: Berth reads the last words of the program there";
const SIDECAR: &str = "leave it out: a container beside the task never keeps the pod alive";

/// What to do instead of setting this field; `None` if it is free.
pub(super) fn owned(part: Part, field: &str) -> Option<&'static str> {
    let row = OWNED
        .iter()
        .find(|(of, name, _)| *of == part && *name == field);
    row.map(|(.., instead)| *instead)
}
