//! An experiment as its document says, and what its program does.

use std::fmt;

/// What the programs of experiments do; their kind is decided by a hyperparameter, so that one run
/// always has one script.
const SCRIPTS: u32 = 5;

/// One experiment as its document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Decides the script and the size.
    pub parameter: u32,
    /// `run`
    pub run: u32,
    /// `state`
    pub state: &'static str,
    /// The document is broken.
    pub broken: bool,
}

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// It ends well.
    Ends,
    /// It fails always.
    Fails,
    /// It fails at the first attempt.
    FailsOnce,
    /// It goes on for ever.
    Stays,
    /// It ends well, and exits with 0 when it is stopped, too.
    EndsAnyway,
}

impl Experiment {
    /// A new one.
    pub const fn new(parameter: u32) -> Self {
        Self {
            parameter,
            run: 1,
            state: "active",
            broken: false,
        }
    }

    /// What decides the run.
    pub const fn identity(&self) -> (u32, u32) {
        (self.parameter, self.run)
    }

    /// What its program does.
    pub const fn script(&self) -> Script {
        match self.parameter % SCRIPTS {
            0 => Script::Ends,
            1 => Script::Fails,
            2 => Script::FailsOnce,
            3 => Script::Stays,
            _ => Script::EndsAnyway,
        }
    }

    /// Its slots.
    pub const fn slots(&self) -> u32 {
        [1, 16, 8, 2, 0][((self.parameter / SCRIPTS + self.parameter) % 5) as usize]
    }

    /// Its pods.
    pub const fn pods(&self) -> usize {
        if self.slots() > 8 { 2 } else { 1 }
    }

    /// The document.
    pub fn document(&self, name: &str) -> String {
        let script = match self.script() {
            Script::Ends => "sandbox.berth.dev/run: 5s",
            Script::Fails => "sandbox.berth.dev/run: 3s, sandbox.berth.dev/exit: \"1\"",
            Script::FailsOnce => {
                "sandbox.berth.dev/run: 4s, sandbox.berth.dev/exit: \"attempt=1,rank=0:1;0\""
            }
            Script::Stays => "sandbox.berth.dev/on-term: \"exit=0,after=1s\"",
            Script::EndsAnyway => {
                "sandbox.berth.dev/run: 20s, sandbox.berth.dev/on-term: \"exit=0,after=2s\""
            }
        };
        let broken = if self.broken { "  nonsense: 1\n" } else { "" };
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Experiment\n\
             metadata: {{name: {name}, annotations: {{{script}}}}}\nspec:\n  queue: vision\n  \
             entrypoint: [python, train.py]\n  maxRestarts: 1\n  \
             resources: {{slotsPerTrial: {}}}\n  hyperparameters: {{p: {}}}\n  run: {}\n  \
             state: {}\n{broken}",
            self.slots(),
            self.parameter,
            self.run,
            self.state
        )
    }

    /// The states that it may be in when all has come to rest.
    pub fn may_end_as(&self) -> &'static [&'static str] {
        match (self.state, self.script()) {
            ("paused", _) => &["Paused", "Completed", "Failed", "Canceled"],
            ("canceled", _) => &["Canceled", "Completed", "Failed"],
            (_, Script::Fails) => &["Failed", "Canceled"],
            (_, Script::Stays) => &["Running", "Canceled"],
            _ => &["Completed", "Canceled"],
        }
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} on {} slots (parameter {}, run {}), {}",
            self.script(),
            self.slots(),
            self.parameter,
            self.run,
            self.state
        )?;
        f.write_str(if self.broken { ", broken" } else { "" })
    }
}
