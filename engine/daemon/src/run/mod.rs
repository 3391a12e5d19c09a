//! `berth run`: everything connected, until the process is asked to end.

pub mod carry;
pub mod clock;
pub mod crash;
pub mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_cluster::client::{self, Client, ConnectError};
use berth_cluster::lease;
use berth_cluster::wire::{Caller, Elector};
use berth_core::desired::Desired;
use berth_core::ids::Name;
use berth_core::reconciler::{self, Reconciler, Role};
use berth_git::{Repository, Source, StatusBranch, Stop};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::carry::Carrier;
use self::clock::Clock;
use self::crash::Crash;
use self::status::StatusEdge;
use crate::cli::git_failed;
use crate::error::CommandError;
use crate::http::{self, Ping};
use crate::metrics::Metrics;
use crate::reconcile::Loop;
use crate::source::follow::{FIRST, Follower};
use crate::source::reader::Reader;

/// What the daemon is told, resolved.
pub struct Settings {
    /// The state repository and its mirror.
    pub repository: (Source, std::path::PathBuf),
    /// Where the status branch is kept, and its mirror.
    pub status: (Source, std::path::PathBuf),
    /// How often a remote is asked.
    pub interval: Duration,
    /// The cluster document's name.
    pub cluster: Name,
    /// The API server.
    pub client: client::Options,
    /// Who this process is in the Lease.
    pub identity: String,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub http: Option<SocketAddr>,
    /// Accept that ledger and cluster do not know each other.
    pub reanchor: bool,
}

/// A local repository gets what is alone at once, and a burst in commits that are so far apart.
const LOCAL_STATUS: Duration = Duration::from_millis(500);

/// What runs beside the loop.
struct Beside {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// Runs until `stop`; ends once effects are answered, the last status is pushed and the Lease is
/// given up.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), CommandError> {
    let (metrics, registry) = Metrics::new();
    let (door, pings) = mpsc::channel::<Ping>(8);
    let (say, missing) = watch::channel(vec![FIRST.to_owned()]);
    let mut beside = Beside {
        stop: CancellationToken::new(),
        tasks: Vec::new(),
    };
    if let Some(address) = settings.http {
        let listener = http::bind(address).await?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "serves /metrics, /livez and /readyz");
        }
        let end = beside.stop.clone().cancelled_owned();
        beside.tasks.push(tokio::spawn(http::serve(
            listener, registry, door, missing, end,
        )));
    }
    let turned = turn(settings, metrics, pings, say, &stop, &mut beside).await;
    beside.stop.cancel();
    for task in beside.tasks {
        // A task that panicked has said so.
        let _ = task.await;
    }
    turned
}

async fn turn(
    settings: Settings,
    metrics: Metrics,
    mut pings: mpsc::Receiver<Ping>,
    missing: watch::Sender<Vec<String>>,
    stop: &CancellationToken,
    beside: &mut Beside,
) -> Result<(), CommandError> {
    let clock = Clock::start();
    let client = Client::connect(&settings.client)
        .await
        .map_err(|error| not_connected(&error))?;
    tracing::info!(server = client.server(), cluster = %settings.cluster, identity = settings.identity, "connected");
    let (reads, writes) = (Stop::new(), Stop::new());
    let status = open_status(&settings, &writes)?;
    let (told, mut snapshots) = mpsc::channel(4);
    let _following = follow(&settings, reads, told, missing.clone(), metrics.clone())?;
    let Some(first) = first(&mut snapshots, &mut pings, stop).await else {
        return Ok(());
    };
    let namespace = first.cluster().spec.namespace.clone();
    let elector = Elector::new(
        settings.cluster.as_str(),
        namespace.as_str(),
        &settings.identity,
    );
    let (role_is, role) = watch::channel(Role::Follower {
        holder: String::new(),
    });
    let lease = lease::run(
        client.clone(),
        elector,
        move || clock.now(),
        role_is,
        beside.stop.clone(),
    );
    beside.tasks.push(tokio::spawn(lease));
    let seed = uuid::Uuid::new_v4().as_u64_pair().0;
    let carrier = Carrier {
        client,
        caller: Caller {
            instance: String::new(),
            namespace: namespace.to_string(),
        },
        cluster: settings.cluster.clone(),
        status: StatusEdge::new(status, writes),
        clock,
        crash: Crash::from_env(),
        metrics,
    };
    let mut reconciler = Reconciler::new(options(&settings, seed));
    reconciler.input(clock.now(), reconciler::Input::Snapshot(first));
    let turning = Loop {
        reconciler,
        carrier,
        snapshots,
        role,
        pings,
        missing,
        stop: stop.clone(),
        once: settings.reanchor,
        seed,
        watching: None,
        flights: JoinSet::new(),
    };
    turning.run().await;
    Ok(())
}

fn options(settings: &Settings, seed: u64) -> reconciler::Options {
    let local = settings.status.0.local_path().is_some();
    reconciler::Options {
        status_interval: local.then_some(LOCAL_STATUS),
        seed,
        reanchor: settings.reanchor,
        ..reconciler::Options::new(settings.cluster.clone())
    }
}

fn open_status(settings: &Settings, stop: &Stop) -> Result<StatusBranch, CommandError> {
    let (source, mirror) = &settings.status;
    let source = source.clone().with_stop(stop.clone());
    StatusBranch::open(&source, mirror, settings.cluster.as_str()).map_err(git_failed)
}

fn follow(
    settings: &Settings,
    stop: Stop,
    snapshots: mpsc::Sender<Arc<Desired>>,
    missing: watch::Sender<Vec<String>>,
    metrics: Metrics,
) -> Result<crate::source::follow::Following, CommandError> {
    let (source, mirror) = settings.repository.clone();
    let source = source.with_stop(stop.clone());
    let repository = Repository::open(source, &mirror).map_err(git_failed)?;
    let follower = Follower {
        reader: Reader::new(repository),
        status: open_status(settings, &stop)?,
        cluster: settings.cluster.clone(),
        interval: settings.interval,
        snapshots,
        missing,
        metrics,
        stop,
    };
    follower.start().map_err(git_failed)
}

/// The first snapshot: until then there is nothing to do, and no namespace for the Lease.
async fn first(
    snapshots: &mut mpsc::Receiver<Arc<Desired>>,
    pings: &mut mpsc::Receiver<Ping>,
    stop: &CancellationToken,
) -> Option<Arc<Desired>> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            first = snapshots.recv() => return first,
            Some(ping) = pings.recv() => drop(ping.send(())),
        }
    }
}

/// The Lease, held.
pub struct Lead {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Lead {
    /// Gives the Lease up.
    pub async fn give_up(self) {
        self.stop.cancel();
        // A task that panicked has said so.
        let _ = self.task.await;
    }
}

/// Takes the Lease, for a command that writes while no daemon does. It waits for the Lease of a
/// daemon that died to run out.
pub async fn leadership(
    client: &Client,
    cluster: &Name,
    namespace: &Name,
) -> Result<Lead, CommandError> {
    let (clock, stop) = (Clock::start(), CancellationToken::new());
    let identity = format!("berth-{}", uuid::Uuid::new_v4().simple());
    let elector = Elector::new(cluster.as_str(), namespace.as_str(), &identity);
    let (send, mut role) = watch::channel(Role::Follower {
        holder: String::new(),
    });
    let task = tokio::spawn(lease::run(
        client.clone(),
        elector,
        move || clock.now(),
        send,
        stop.clone(),
    ));
    let leads = role.wait_for(|role| matches!(role, Role::Leader { .. }));
    if let Ok(Ok(_)) = tokio::time::timeout(TAKEOVER, leads).await {
        return Ok(Lead { stop, task });
    }
    stop.cancel();
    let holder = match &*role.borrow() {
        Role::Follower { holder } => holder.clone(),
        Role::Leader { .. } => identity,
    };
    Err(
        CommandError::environment(format!("the Lease is held by `{holder}`"))
            .hint("stop the daemon first"),
    )
}

/// Longer than a Lease lasts that nobody renews.
const TAKEOVER: Duration = Duration::from_secs(25);

/// No connection, as the command line tells it.
pub fn not_connected(error: &ConnectError) -> CommandError {
    CommandError::environment(error.to_string()).hint(error.help())
}
