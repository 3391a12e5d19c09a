//! One story: people change things, things break, and in the end all must be well.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::end::End;
pub use super::planted::Planted;
use super::stage::Stage;

/// One in so many stories is compared with the same commits in good weather.
const COMPARED: u64 = 4;

/// What a story is made of.
#[derive(Debug, Clone)]
pub struct Story {
    /// Decides everything.
    pub seed: u64,
    /// How many things happen before people and weather come to rest.
    pub length: usize,
    /// Those that are left out.
    pub without: Rc<BTreeSet<usize>>,
    /// Whether things break at all.
    pub weather: bool,
    /// A fault of ours, to see that it is found.
    pub planted: Option<Planted>,
    /// Whether what happens is written down.
    pub traced: bool,
}

impl Story {
    /// The story of this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            length: 500,
            without: Rc::default(),
            weather: true,
            planted: None,
            traced: false,
        }
    }

    /// The same with a fault of ours.
    #[must_use]
    pub fn with(self, planted: Planted) -> Self {
        Self {
            planted: Some(planted),
            ..self
        }
    }
}

/// What happened in stories that went well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Stories.
    pub stories: u64,
    /// Writing calls of Berth's that reached the server.
    pub calls: u64,
    /// Pods made.
    pub pods: u64,
    /// Status commits.
    pub commits: u64,
    /// Lives of the daemon.
    pub lives: u64,
    /// Writes of the spill.
    pub spills: u64,
    /// Looks at everything from scratch.
    pub audits: u64,
    /// Stories that ended as the same commits do in good weather.
    pub compared: u64,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.stories += other.stories;
        self.calls += other.calls;
        self.pods += other.pods;
        self.commits += other.commits;
        self.lives += other.lives;
        self.spills += other.spills;
        self.audits += other.audits;
        self.compared += other.compared;
    }
}

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The seed to play again.
    pub seed: u64,
    /// How many things happened before all came to rest.
    pub events: usize,
    /// What is wrong.
    pub wrong: Vec<String>,
    /// What happened, if it was written down.
    pub trace: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {}, after {} events:", self.seed, self.events)?;
        for line in &self.wrong {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "play it again: BERTH_SEED={} cargo test -p berth-tests --test simulation one_story",
            self.seed
        )
    }
}

/// Plays a story; one in four is also compared with the same commits in good weather.
pub fn play(story: &Story) -> Result<Report, Broken> {
    let (mut report, end) = perform(story)?;
    if !story.weather || !story.seed.is_multiple_of(COMPARED) {
        return Ok(report);
    }
    let Some(end) = end else { return Ok(report) };
    let fair = Story {
        weather: false,
        traced: false,
        ..story.clone()
    };
    let (_, other) = perform(&fair).map_err(|broken| Broken {
        wrong: broken
            .wrong
            .into_iter()
            .map(|words| format!("in good weather: {words}"))
            .collect(),
        ..broken
    })?;
    let wrong = other.map_or(Vec::new(), |other| end.differs(&other));
    if wrong.is_empty() {
        report.compared += 1;
        return Ok(report);
    }
    let mut stage = Stage::new(&Story {
        traced: story.traced,
        ..story.clone()
    });
    stage.run();
    Err(Broken {
        wrong,
        ..stage.broken()
    })
}

/// Plays it and judges the end; `None` if the history was lost in it, so that it ends otherwise.
fn perform(story: &Story) -> Result<(Report, Option<End>), Broken> {
    let mut stage = Stage::new(story);
    let end = stage.run();
    if stage.is_well() {
        return Ok((stage.report(), end));
    }
    Err(stage.broken())
}

/// Plays the stories of these seeds on all processors; gives the sum, and those that went wrong by
/// their seeds.
pub fn play_many(seeds: Range<u64>, story: impl Fn(u64) -> Story + Sync) -> (Report, Vec<Broken>) {
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new((Report::default(), Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let played = play(&story(seed));
                    let Ok(mut sum) = sum.lock() else { return };
                    match played {
                        Ok(report) => sum.0.add(report),
                        Err(broken) => sum.1.push(broken),
                    }
                }
            });
        }
    });
    let (report, mut broken) = sum.into_inner().unwrap_or_default();
    broken.sort_by_key(|broken| broken.seed);
    (report, broken)
}
