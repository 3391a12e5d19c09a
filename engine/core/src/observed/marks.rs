//! The labels, annotations and finalizer that Berth puts on its objects.

/// Label: the instance id of the Berth that made the object; every watch selects by it.
pub const INSTANCE: &str = "berth.dev/instance";
/// Annotation: the object's own key, as `ObjectKey` displays it.
pub const ID: &str = "berth.dev/id";
/// Annotation: the unit, as `UnitId` displays it.
pub const UNIT: &str = "berth.dev/unit";
/// Annotation: the digest of the desired form that was applied last.
pub const DIGEST: &str = "berth.dev/digest";
/// Annotation: the commit that the object was made or last changed for.
pub const COMMIT: &str = "berth.dev/commit";
/// Annotation of pods: the hyperparameters as JSON, which a volume shows to the program as a file.
pub const HYPERPARAMETERS: &str = "berth.dev/hyperparameters";
/// Annotation of users: nothing touches the object.
pub const HOLD: &str = "berth.dev/hold";
/// Finalizer: the outcome of the pod is not safe yet.
pub const FINALIZER: &str = "berth.dev/outcome";
/// Label: short digest of the run.
pub const RUN: &str = "berth.dev/run";
/// Label: trial, counted from 1.
pub const TRIAL: &str = "berth.dev/trial";
/// Label: attempt, counted from 1.
pub const ATTEMPT: &str = "berth.dev/attempt";
/// Label of the pods of a gang: the headless Service by which they find each other.
pub const SERVICE: &str = "berth.dev/service";
/// Label: rank, counted from 0.
pub const RANK: &str = "berth.dev/rank";
/// A termination message that begins so says that the program did all it had to.
pub const COMPLETED: &str = "berth:completed";
/// The container of the user's program.
pub const TASK: &str = "task";

/// What is said of an object with that annotation.
pub fn hold_words(object: impl std::fmt::Display) -> String {
    format!("`{HOLD}` on {object} stops all work on it")
}
