//! Why Berth stopped an attempt.

use std::fmt;

/// What a document asked for, so that an attempt was stopped. As text it is the reason of the
/// attempt's end ([`AttemptEnd::reason`](super::AttemptEnd::reason)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Its document says `state: paused`.
    Paused,
    /// Its document says `state: canceled`.
    Canceled,
    /// Its document is gone.
    Removed,
    /// Its run is in a final state.
    RunIsOver,
    /// There is a later attempt of its trial.
    LaterAttempt,
    /// Its document asks for another run: this one, as the names of pods have it.
    Replaced(String),
    /// What it was rendered from changed, these layers, and its document says
    /// `rollout: replaceAttempt`.
    Outdated(Vec<String>),
}

impl Stop {
    /// Those that are told in the same words each time.
    const PLAIN: [Self; 5] = [
        Self::Paused,
        Self::Canceled,
        Self::Removed,
        Self::RunIsOver,
        Self::LaterAttempt,
    ];

    /// What stopped an attempt that ended for this reason; `None` if it ended otherwise.
    pub fn read(reason: &str) -> Option<Self> {
        if let Some(run) = reason.strip_prefix("replaced by the run ") {
            return Some(Self::Replaced(run.to_owned()));
        }
        let layers = reason.strip_prefix("replaced, as ");
        if let Some(layers) = layers.and_then(|rest| rest.strip_suffix(" changed")) {
            let layers = layers.split(", ").map(str::to_owned);
            return Some(Self::Outdated(layers.collect()));
        }
        let mut plain = Self::PLAIN.into_iter();
        plain.find(|stop| stop.to_string() == reason)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused => f.write_str("paused"),
            Self::Canceled => f.write_str("canceled"),
            Self::Removed => f.write_str("its document was removed"),
            Self::RunIsOver => f.write_str("its run is over"),
            Self::LaterAttempt => f.write_str("a later attempt began"),
            Self::Replaced(run) => write!(f, "replaced by the run {run}"),
            Self::Outdated(layers) => write!(f, "replaced, as {} changed", layers.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stop;

    /// One after the other: a new one that is not here does not compile.
    fn next(stop: Option<&Stop>) -> Option<Stop> {
        Some(match stop {
            None => Stop::Paused,
            Some(Stop::Paused) => Stop::Canceled,
            Some(Stop::Canceled) => Stop::Removed,
            Some(Stop::Removed) => Stop::RunIsOver,
            Some(Stop::RunIsOver) => Stop::LaterAttempt,
            Some(Stop::LaterAttempt) => Stop::Replaced("5f3a09c1".into()),
            Some(Stop::Replaced(_)) => Stop::Outdated(vec!["PodDefaults".into(), "Queue".into()]),
            Some(Stop::Outdated(_)) => return None,
        })
    }

    #[test]
    fn each_stop_is_known_by_its_words() {
        let mut stop = next(None);
        let mut count = 0;
        while let Some(one) = stop {
            assert_eq!(Stop::read(&one.to_string()).as_ref(), Some(&one));
            stop = next(Some(&one));
            count += 1;
        }
        assert_eq!(count, Stop::PLAIN.len() + 2);
    }

    #[test]
    fn other_ends_are_no_stops() {
        let ends = [
            "",
            "rank 0 exited with 1 (Error)",
            "rank 1 was asked to stop and exited with 137 (Error)",
            "somebody deleted the pod canceled",
            "replaced, as PodDefaults",
        ];
        for reason in ends {
            assert_eq!(Stop::read(reason), None, "{reason}");
        }
    }
}
