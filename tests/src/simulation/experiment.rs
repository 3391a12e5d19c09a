//! An experiment as its document says, and what its program does.

use std::fmt;

use serde_json::Value;

/// The number of kinds of programs; which one it is is decided by a hyperparameter, so that one run
/// always has one script.
const SCRIPTS: u32 = 7;

/// The annotation by which a pod says what decided its run, whatever its document says by now.
const FORM: &str = "example.com/form";

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
    /// It goes on for ever, and may not.
    Overstays,
    /// Its image never comes.
    NeverStarts,
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

    /// What decided the run that a pod belongs to.
    pub fn identity_of(pod: &Value) -> Option<(u32, u32)> {
        let form = pod["metadata"]["annotations"][FORM].as_str()?;
        let (parameter, run) = form.split_once(' ')?;
        Some((parameter.parse().ok()?, run.parse().ok()?))
    }

    /// What its program does.
    pub const fn script(&self) -> Script {
        match self.parameter % SCRIPTS {
            0 => Script::Ends,
            1 => Script::Fails,
            2 => Script::FailsOnce,
            3 => Script::Stays,
            4 => Script::EndsAnyway,
            5 => Script::Overstays,
            _ => Script::NeverStarts,
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
            Script::Overstays => "sandbox.berth.dev/on-term: \"exit=143,after=1s\"",
            Script::NeverStarts => "sandbox.berth.dev/image: pull-error",
            Script::EndsAnyway => {
                "sandbox.berth.dev/run: 20s, sandbox.berth.dev/on-term: \"exit=0,after=2s\""
            }
        };
        let deadline = match self.script() {
            Script::Overstays => "  maxRuntime: 30s\n",
            Script::NeverStarts => "  startDeadline: 20s\n",
            _ => "",
        };
        let broken = if self.broken { "  nonsense: 1\n" } else { "" };
        format!(
            "apiVersion: berth.dev/v1alpha1\nkind: Experiment\n\
             metadata: {{name: {name}, annotations: {{{script}, {FORM}: \"{} {}\"}}}}\n\
             spec:\n  queue: vision\n  \
             entrypoint: [python, train.py]\n  maxRestarts: 1\n  \
             resources: {{slotsPerTrial: {}}}\n  hyperparameters: {{p: {}}}\n  run: {}\n  \
             state: {}\n{deadline}{broken}",
            self.parameter,
            self.run,
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
            (_, Script::Fails | Script::Overstays | Script::NeverStarts) => &["Failed", "Canceled"],
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
