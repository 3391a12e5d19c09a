//! `berth run`

use std::net::SocketAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::cluster::{ClusterArgs, NameArgs};
use super::repository::RepositoryArgs;
use crate::error::{CommandError, CommandResult, Exit};
use crate::logging::{self, LogFormat};
use crate::run::{self, Settings};

/// Keep the cluster as the repository says
///
/// Every flag has an environment twin. `RUST_LOG` filters the log, such as `info,berth=debug`.
/// SIGTERM ends it cleanly: what is under way is answered, the status is pushed, the Lease is given
/// up.
#[derive(Debug, clap::Args)]
// `reanchor` takes these arguments too: the group's name would be the name of both.
#[group(skip)]
#[command(after_help = "\
Examples:
  berth run --repo /srv/state --http-listen 127.0.0.1:8080
  berth run --repo https://git.example.com/lab/state.git --cluster lab
  BERTH_REPO=git@git.example.com:lab/state.git BERTH_CLUSTER=lab berth run")]
pub struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    client: ClusterArgs,
    /// Another repository for the status branch; the state repository is then only read
    #[arg(long, env = "BERTH_STATUS_REMOTE", value_name = "URL")]
    status_remote: Option<String>,
    /// How often a remote is asked for new commits, in seconds
    #[arg(long, env = "BERTH_POLL_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3600))]
    poll_seconds: u32,
    /// What this process is called in the Lease, before a random part [default: host name]
    #[arg(long, env = "BERTH_IDENTITY", value_name = "NAME")]
    identity: Option<String>,
    /// Serve /metrics, /livez and /readyz here
    #[arg(long, env = "BERTH_HTTP_LISTEN", value_name = "ADDRESS:PORT")]
    http_listen: Option<SocketAddr>,
    /// How log lines are written
    #[arg(long, env = "BERTH_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

impl Args {
    /// The state repository.
    pub fn repository(&self) -> &RepositoryArgs {
        &self.repository
    }
}

/// Runs until the process is asked to end.
pub fn run(args: &Args) -> CommandResult {
    logging::start(args.log_format, LevelFilter::INFO);
    let runtime = super::runtime()?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    // First of all: whoever is asked to end from now on ends cleanly.
    let interrupts = {
        let _within = runtime.enter();
        super::Interrupts::listen()
    };
    tracing::info!("begins");
    runtime.spawn(async move {
        interrupts.come().await;
        tracing::info!("asked to end");
        asked.cancel();
    });
    let ran = settings(args).and_then(|settings| runtime.block_on(run::run(settings, stop)));
    // What hangs in a system call holds nothing up.
    runtime.shutdown_background();
    ran?;
    tracing::info!("ended");
    Ok(Exit::Fine)
}

/// What the arguments say.
pub fn settings(args: &Args) -> Result<Settings, CommandError> {
    let Some(location) = &args.repository.repo else {
        return Err(CommandError::usage("no state repository is named")
            .hint("name it with --repo or BERTH_REPO"));
    };
    let access = &args.repository.access;
    let source = args.repository.source()?;
    let status = args.status_remote.as_deref().unwrap_or(location);
    let status = access.source(status, "HEAD")?;
    let (mirror, status_mirror) = (access.mirror(&source), access.mirror(&status));
    Ok(Settings {
        repository: (source, mirror),
        status: (status, status_mirror),
        interval: Duration::from_secs(args.poll_seconds.into()),
        cluster: args.name.name()?,
        client: args.client.options(),
        identity: identity(args.identity.as_deref()),
        lifelines: access.lifelines(),
        http: args.http_listen,
        reanchor: false,
    })
}

/// The given name, or the host's, and something random: two processes never share it, whatever
/// they are called.
fn identity(given: Option<&str>) -> String {
    let host = std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty());
    let host = host.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let name = given.or(host.as_deref()).map_or("berth", str::trim);
    format!("{name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
}
