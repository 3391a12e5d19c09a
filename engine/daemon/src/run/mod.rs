//! `berth run`: everything connected, until the process is asked to end.

pub mod carry;
pub mod clock;
pub mod compact;
pub mod crash;
pub mod lifeline;
pub mod name;
pub mod status;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_cluster::client::{self, Client, ConnectError};
use berth_cluster::lease::{self, Candidate, Standing};
use berth_cluster::wire::{Caller, Elector, LASTS, Rival};
use berth_core::desired::Desired;
use berth_core::ids::{Name, Timestamp};
use berth_core::reconciler::{self, Reconciler, Role};
use berth_git::{Repository, Source, StatusBranch, Stop};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::carry::Carrier;
use self::clock::Clock;
use self::crash::Crash;
use self::lifeline::Lifeline;
use self::name::Search;
use self::status::StatusEdge;
use crate::cli::git_failed;
use crate::error::CommandError;
use crate::http::{self, Ping};
use crate::metrics::Metrics;
use crate::reconcile::{Loop, Missing};
use crate::source::authors::Authors;
use crate::source::follow::{FIRST, Follower, Following, Read};
use crate::source::reader::Reader;

/// What the daemon is told, resolved.
pub struct Settings {
    /// The state repository and its mirror.
    pub repository: (Source, std::path::PathBuf),
    /// Where the status branch is kept, and its mirror.
    pub status: (Source, std::path::PathBuf),
    /// How often a remote is asked.
    pub interval: Duration,
    /// The cluster document's name; the only one of the repository if none is given.
    pub cluster: Option<Name>,
    /// The API server.
    pub client: client::Options,
    /// Who this process is in the Lease; no other one ever has this name.
    pub identity: String,
    /// Where daemons of this machine tell each other that they live.
    pub lifelines: std::path::PathBuf,
    /// Where `/metrics`, `/livez` and `/readyz` are served.
    pub http: Option<SocketAddr>,
    /// Accept that ledger and cluster do not know each other, and end.
    pub reanchor: bool,
}

/// A local repository gets what is alone at once, and a burst in commits that are so far apart at
/// first.
const LOCAL_STATUS: Duration = Duration::from_millis(500);

/// How long the last answers to metrics and probes may take.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

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
    let (say, missing) = watch::channel(Some(Missing::yet(FIRST)));
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
    let ends = async {
        for task in beside.tasks {
            // A task that panicked has said so.
            let _ = task.await;
        }
    };
    // The Lease takes no longer; a client that reads slowly is not waited for.
    let _ = tokio::time::timeout(lease::FAREWELL * 2 + LAST_ANSWERS, ends).await;
    turned
}

async fn turn(
    settings: Settings,
    metrics: Metrics,
    mut pings: mpsc::Receiver<Ping>,
    missing: watch::Sender<Option<Missing>>,
    stop: &CancellationToken,
    beside: &mut Beside,
) -> Result<(), CommandError> {
    let clock = Clock::start();
    let mut search = Search {
        pings: &mut pings,
        missing: &missing,
        metrics: &metrics,
        stop,
    };
    let Some(cluster) = search.find(&settings).await? else {
        return Ok(());
    };
    let connected = tokio::select! {
        connected = Client::connect(&settings.client) => connected,
        () = stop.cancelled() => return Ok(()),
    };
    let client = connected.map_err(|error| not_connected(&error))?;
    tracing::info!(server = client.server(), %cluster, identity = settings.identity, "connected");
    let (reads, writes) = (Stop::new(), Stop::new());
    let status = open_status(&settings, &cluster, &writes)?;
    let (told, mut snapshots) = mpsc::channel(4);
    let following = follow(
        &settings,
        &cluster,
        reads,
        told,
        missing.clone(),
        metrics.clone(),
    )?;
    let once = settings.reanchor;
    let Some(first) = first(&mut snapshots, &mut pings, stop, once).await? else {
        return Ok(());
    };
    let namespace = first.cluster().spec.namespace.clone();
    let elector = Elector::new(cluster.as_str(), namespace.as_str(), &settings.identity);
    let lifeline = Lifeline::start(settings.lifelines.clone(), &settings.identity);
    let lifeline = Arc::new(lifeline);
    let (says, standing) = watch::channel(Standing::unknown());
    let beat = lifeline::beat(Arc::clone(&lifeline), standing.clone());
    beside.tasks.push(tokio::spawn(beat));
    let (takes_part, part) = watch::channel(true);
    let candidate = Candidate {
        client: client.clone(),
        elector,
        clock: move || clock.now(),
        dead: move |holder: &str| lifeline.is_dead(holder),
        says,
        takes_part: part,
        stop: beside.stop.clone(),
    };
    beside.tasks.push(tokio::spawn(candidate.run()));
    let seed = uuid::Uuid::new_v4().as_u64_pair().0;
    let carrier = Carrier {
        client,
        caller: Caller {
            instance: String::new(),
            namespace: namespace.to_string(),
        },
        cluster: cluster.clone(),
        status: StatusEdge::new(status, writes),
        clock,
        crash: Crash::from_env(),
        metrics,
    };
    let mut turning = Loop {
        reconciler: Reconciler::new(options(&settings, cluster, seed)),
        carrier,
        snapshots,
        standing,
        takes_part,
        pings,
        missing,
        stop: stop.clone(),
        once: settings.reanchor,
        patience: Patience::default(),
        seed,
        watching: None,
        tenure: 0,
        held: BTreeSet::new(),
        flights: JoinSet::new(),
        following,
    };
    turning.begin(first);
    turning.run().await
}

fn options(settings: &Settings, cluster: Name, seed: u64) -> reconciler::Options {
    let local = settings.status.0.local_path().is_some();
    reconciler::Options {
        status_interval: local.then_some(LOCAL_STATUS),
        seed,
        reanchor: settings.reanchor,
        ..reconciler::Options::new(cluster)
    }
}

fn open_status(
    settings: &Settings,
    cluster: &Name,
    stop: &Stop,
) -> Result<StatusBranch, CommandError> {
    let (source, mirror) = &settings.status;
    let source = source.clone().with_stop(stop.clone());
    StatusBranch::open(&source, mirror, cluster.as_str()).map_err(git_failed)
}

fn follow(
    settings: &Settings,
    cluster: &Name,
    stop: Stop,
    snapshots: mpsc::Sender<Read>,
    missing: watch::Sender<Option<Missing>>,
    metrics: Metrics,
) -> Result<Following, CommandError> {
    let (source, mirror) = settings.repository.clone();
    let source = source.with_stop(stop.clone());
    let repository = Repository::open(source, &mirror).map_err(git_failed)?;
    let follower = Follower {
        reader: Reader::new(repository),
        status: open_status(settings, cluster, &stop)?,
        cluster: cluster.clone(),
        interval: settings.interval,
        snapshots,
        missing,
        metrics,
        stop,
        authors: Authors::default(),
    };
    follower.start().map_err(git_failed)
}

/// The first snapshot: until then there is nothing to do, and no namespace for the Lease. One that is
/// to end by itself does not wait for a commit that mends it.
async fn first(
    snapshots: &mut mpsc::Receiver<Read>,
    pings: &mut mpsc::Receiver<Ping>,
    stop: &CancellationToken,
    once: bool,
) -> Result<Option<Arc<Desired>>, CommandError> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            read = snapshots.recv() => match read {
                Some(Read::Snapshot(first)) => return Ok(Some(first)),
                // The log has said why.
                Some(Read::Unusable(_)) if once => return Err(CommandError::findings(
                    "the newest commit makes no snapshot to work by, and none is in force",
                ).hint("mend what is said above")),
                Some(Read::Unusable(_) | Read::Tip(_)) => {}
                None => return Ok(None),
            },
            Some(ping) = pings.recv() => drop(ping.send(())),
        }
    }
}

/// The Lease, held.
pub struct Lead {
    clock: Clock,
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Lead {
    /// The time, on the clock by which it is held.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether it is held now: to be asked right before anything is written.
    pub fn may_send(&self) -> bool {
        let role = &self.standing.borrow().role;
        matches!(role, Role::Leader { until } if self.now() < *until)
    }

    /// Gives the Lease up.
    pub async fn give_up(self) {
        self.stop.cancel();
        // A task that panicked has said so.
        let _ = self.task.await;
    }
}

/// Takes the Lease, for a command that writes while no daemon does. It waits for the Lease of a
/// daemon that died to run out, and says so; one that lives is an error.
pub async fn leadership(
    client: &Client,
    cluster: &Name,
    namespace: &Name,
    lifelines: std::path::PathBuf,
) -> Result<Lead, CommandError> {
    let (clock, stop) = (Clock::start(), CancellationToken::new());
    let identity = format!("berth-{}", uuid::Uuid::new_v4().simple());
    let lifeline = Lifeline::start(lifelines, &identity);
    let (says, mut standing) = watch::channel(Standing::unknown());
    let (_takes_part, part) = watch::channel(true);
    let candidate = Candidate {
        client: client.clone(),
        elector: Elector::new(cluster.as_str(), namespace.as_str(), &identity),
        clock: move || clock.now(),
        dead: move |holder: &str| lifeline.is_dead(holder),
        says,
        takes_part: part,
        stop: stop.clone(),
    };
    let task = tokio::spawn(candidate.run());
    let mut patience = Patience::default();
    let taken = async {
        loop {
            let now = standing.borrow_and_update().clone();
            if now.leads() {
                return Ok(());
            }
            patience.hear(now.rival.as_ref())?;
            if standing.changed().await.is_err() {
                return Err(CommandError::environment("the election ended"));
            }
        }
    };
    let taken = tokio::time::timeout(TAKEOVER, taken).await;
    let taken = taken.unwrap_or_else(|_| {
        Err(CommandError::environment("the Lease cannot be had")
            .hint("see the warnings above; Berth needs the rights of docs/reference/rbac.md"))
    });
    match taken {
        Ok(()) => Ok(Lead {
            clock,
            standing,
            stop,
            task,
        }),
        Err(error) => {
            stop.cancel();
            Err(error)
        }
    }
}

/// A command's patience with somebody else's Lease: it says that it waits, and waits only for
/// one who does not live.
#[derive(Debug, Default)]
pub struct Patience(Option<String>);

impl Patience {
    /// Says whom it waits for; an error once that one was seen to live.
    pub fn hear(&mut self, rival: Option<&Rival>) -> Result<(), CommandError> {
        let Some(rival) = rival else { return Ok(()) };
        if rival.renews {
            return Err(CommandError::environment(rival.to_string()).hint(
                "a daemon works there: end it by SIGTERM, upon which it gives the Lease up, and try \
                 again; one that stopped every write gives it up by itself",
            ));
        }
        if self.0.as_ref() != Some(&rival.holder) {
            self.0 = Some(rival.holder.clone());
            crate::output::complain(&format!(
                "{rival}; it is free in some {} s if that one has ended: waiting\n",
                LASTS.as_secs()
            ));
        }
        Ok(())
    }
}

/// Longer than a Lease lasts that nobody renews.
const TAKEOVER: Duration = Duration::from_secs(25);

/// No connection, as the command line tells it.
pub fn not_connected(error: &ConnectError) -> CommandError {
    CommandError::environment(error.to_string()).hint(error.help())
}
