//! What the daemon counts, in the `OpenMetrics` text format.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Labels of an effect: what it does and what became of it, both from closed sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EffectLabels {
    what: &'static str,
    outcome: &'static str,
}

/// A state of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

/// All metrics; clones share them.
#[derive(Clone)]
pub struct Metrics {
    effects: Family<EffectLabels, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    units: Family<StateLabel, Gauge>,
    snapshots: Counter,
    git_failures: Counter,
    findings: Gauge,
    leader: Gauge,
    steps: Counter<u64, AtomicU64>,
}

impl Metrics {
    /// New metrics, and the registry that shows them.
    pub fn new() -> (Self, Registry) {
        let metrics = Self {
            effects: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.001, 4.0, 8)),
            in_flight: Gauge::default(),
            units: Family::default(),
            snapshots: Counter::default(),
            git_failures: Counter::default(),
            findings: Gauge::default(),
            leader: Gauge::default(),
            steps: Counter::default(),
        };
        let registry = metrics.registry();
        (metrics, registry)
    }

    fn registry(&self) -> Registry {
        let mut all = Registry::with_prefix("berth");
        let it = self.clone();
        all.register("effects", "Effects carried out", it.effects);
        all.register(
            "effect_seconds",
            "From an effect to its outcome",
            it.seconds,
        );
        all.register(
            "effects_in_flight",
            "Effects without an outcome yet",
            it.in_flight,
        );
        all.register("units", "Documents by their state", it.units);
        all.register(
            "snapshots",
            "Commits of the state repository read",
            it.snapshots,
        );
        all.register(
            "git_failures",
            "Failed readings of the state repository",
            it.git_failures,
        );
        all.register("findings", "Findings in the snapshot in force", it.findings);
        all.register("leader", "1 while this daemon may write", it.leader);
        all.register("steps", "Steps of the reconciler", it.steps);
        all
    }

    /// An effect was let go.
    pub fn effect_began(&self) {
        self.in_flight.inc();
    }

    /// An effect was answered after so long.
    pub fn effect_ended(
        &self,
        what: &'static str,
        outcome: &'static str,
        after: std::time::Duration,
    ) {
        self.in_flight.dec();
        self.seconds.observe(after.as_secs_f64());
        self.effects
            .get_or_create(&EffectLabels { what, outcome })
            .inc();
    }

    /// A commit was read, with so many findings.
    pub fn snapshot(&self, findings: usize) {
        self.snapshots.inc();
        self.findings
            .set(i64::try_from(findings).unwrap_or(i64::MAX));
    }

    /// The state repository could not be read.
    pub fn git_failed(&self) {
        self.git_failures.inc();
    }

    /// Whether this daemon may write.
    pub fn leads(&self, yes: bool) {
        self.leader.set(i64::from(yes));
    }

    /// The reconciler took a step.
    pub fn stepped(&self) {
        self.steps.inc();
    }

    /// How many units are in which state; states that are gone are forgotten.
    pub fn units(&self, states: &BTreeMap<String, u32>) {
        self.units.clear();
        for (state, count) in states {
            let label = StateLabel {
                state: state.clone(),
            };
            self.units.get_or_create(&label).set(i64::from(*count));
        }
    }
}
