//! Compaction of the status branch, carried out: what is done in which order, the core says.

use berth_cluster::client::Client;
use berth_cluster::start;
use berth_cluster::wire::Caller;
use berth_core::ids::{CommitId, Name, ResourceVersion};
use berth_core::reconciler::{Compaction, Effect, EffectId, Outcome, What};
use berth_git::{PushError, StatusBranch};

use super::Lead;
use super::crash::Crash;
use super::status::{author, is_in, load};
use crate::cli::git_failed;
use crate::error::CommandError;
use crate::look::not_read;

/// A branch that is to be compacted, and the cluster that knows it.
pub struct Compactor {
    /// The cluster.
    pub client: Client,
    /// Berth's own namespace.
    pub namespace: Name,
    /// The cluster document's name.
    pub cluster: Name,
    /// The branch.
    pub branch: StatusBranch,
}

impl Compactor {
    /// Reads branch and cluster; an error if they do not know each other.
    pub async fn look(&self) -> Result<Compaction, CommandError> {
        let ledger = load(&self.branch).map_err(git_failed)?;
        let ledger = ledger.map_err(CommandError::environment)?;
        let start = start::start(&self.client, self.namespace.as_str(), &self.cluster).await;
        let start = start.map_err(|error| not_read(&error))?;
        let anchor = start.anchor.as_ref();
        let within = anchor.is_none_or(|anchor| is_in(&self.branch, anchor));
        let uid = &start.cluster_uid;
        Compaction::of(&self.cluster, uid, start.anchor, within, &ledger)
            .map_err(CommandError::environment)
    }

    /// Puts the root commit in the place of the history; gives it.
    pub async fn compact(
        &self,
        compaction: &Compaction,
        lead: &Lead,
    ) -> Result<CommitId, CommandError> {
        let crash = Crash::from_env();
        let (base, who) = (compaction.base(), author());
        let when = lead.now().millis();
        let root = self.branch.root(base, &compaction.message(), when, &who);
        let root = root.map_err(git_failed)?;
        let this = crash.before("keep").await;
        let version = self.keep(compaction.announce(root), lead).await?;
        crash.after(this);
        let this = crash.before("replace").await;
        if !lead.may_send() {
            return Err(too_late());
        }
        let replaced = self.branch.replace(base, root, &who);
        replaced.map_err(not_replaced)?;
        crash.after(this);
        let this = crash.before("keep").await;
        self.keep(compaction.settle(root, version), lead).await?;
        crash.after(this);
        Ok(root)
    }

    async fn keep(&self, what: What, lead: &Lead) -> Result<ResourceVersion, CommandError> {
        let caller = Caller {
            instance: String::new(),
            namespace: self.namespace.to_string(),
        };
        let effect = Effect {
            id: EffectId(0),
            unit: None,
            why: "the status branch is compacted".into(),
            what,
        };
        let may_send = || lead.may_send();
        let outcome = self
            .client
            .carry(&caller, lead.now(), &effect, may_send)
            .await;
        let words = match outcome {
            Outcome::Kept(version) => return Ok(version),
            Outcome::Refused(said) => format!("the server refused: {}", said.message),
            Outcome::Unreachable(words) | Outcome::Unknown(words) | Outcome::Busy(_, words) => {
                words
            }
            Outcome::Throttled(wait) => format!("the server wants to be asked again in {wait:?}"),
            _ => "somebody else changed it".to_owned(),
        };
        Err(CommandError::environment(words)
            .while_doing("write the anchor")
            .hint(AGAIN))
    }
}

/// Whatever was done before the error, the anchor names what is pushed.
const AGAIN: &str = "run it again: nothing is lost, and a daemon goes on from here, too";

fn too_late() -> CommandError {
    CommandError::environment("the Lease ran out before the push").hint(AGAIN)
}

fn not_replaced(error: PushError) -> CommandError {
    let help = match &error {
        PushError::Refused { .. } => {
            "let Berth force-push to berth/status/*, for this once at least".to_owned()
        }
        PushError::Rejected => AGAIN.to_owned(),
        PushError::Failed(error) => error.help(),
    };
    CommandError::environment(error)
        .while_doing("push the root commit")
        .hint(help)
}
