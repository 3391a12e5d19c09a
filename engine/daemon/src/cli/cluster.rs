//! Which API server, and how.

use std::path::PathBuf;

use berth_cluster::client::{Client, Options, SERVICE_ACCOUNT};
use berth_core::ids::Name;

use crate::error::CommandError;
use crate::run::not_connected;

/// The arguments of commands that speak to a cluster.
#[derive(Debug, Clone, clap::Args)]
pub struct ClusterArgs {
    /// The kubeconfig [default: KUBECONFIG, the pod's service account, ~/.kube/config]
    #[arg(long, env = "BERTH_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in it
    #[arg(long, env = "BERTH_CONTEXT", value_name = "NAME")]
    context: Option<String>,
    /// Where the pod's service account is mounted
    #[arg(long, env = "BERTH_SERVICE_ACCOUNT", value_name = "DIR", default_value = SERVICE_ACCOUNT)]
    service_account: PathBuf,
    /// Let the kubeconfig run programs for its credentials
    #[arg(long, env = "BERTH_ALLOW_EXEC")]
    allow_exec: bool,
}

impl ClusterArgs {
    /// As the client takes them.
    pub fn options(&self) -> Options {
        Options {
            kubeconfig: self.kubeconfig.clone(),
            service_account: self.service_account.clone(),
            context: self.context.clone(),
            allow_exec: self.allow_exec,
            ..Options::default()
        }
    }
}

/// Which Cluster document is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct NameArgs {
    /// The Cluster document; the only one of the repository if left out
    #[arg(long, env = "BERTH_CLUSTER", value_name = "NAME")]
    cluster: Option<String>,
}

impl NameArgs {
    /// Its name, if one was given.
    pub fn name(&self) -> Result<Option<Name>, CommandError> {
        super::name(self.cluster.as_deref())
    }
}

/// The arguments of commands that look at a live cluster.
#[derive(Debug, Clone, clap::Args)]
pub struct LiveArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    client: ClusterArgs,
}

impl LiveArgs {
    /// The cluster document's name, if one was given.
    pub fn name(&self) -> Result<Option<Name>, CommandError> {
        self.name.name()
    }

    /// A connection.
    pub async fn connect(&self) -> Result<Client, CommandError> {
        let client = Client::connect(&self.client.options()).await;
        client.map_err(|error| not_connected(&error))
    }
}
