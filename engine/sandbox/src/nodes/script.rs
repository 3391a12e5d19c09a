//! What a pod's program does, as the pod's annotations say.

use serde_json::Value;

use crate::clock;
use crate::object::annotation;

const DEFAULT_RUN_MS: i64 = 2000;

/// A program: how long it runs and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Until it ends by itself; `None`: it does not.
    pub(crate) run_ms: Option<i64>,
    /// What it exits with then.
    pub(crate) code: i64,
    /// What it does when it is asked to stop.
    pub(crate) on_term: OnTerm,
    /// The image cannot be pulled.
    pub(crate) pull_error: bool,
    /// It ends for want of memory.
    pub(crate) oom: bool,
    /// What it leaves in its termination message.
    pub(crate) message: String,
}

/// A program's answer to TERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnTerm {
    /// It ends with a code after some milliseconds.
    Exit { code: i64, after_ms: i64 },
    /// It waits to be killed.
    Hang,
}

impl Script {
    /// Reads the annotations `sandbox.berth.dev/...` of a pod.
    pub(crate) fn of(pod: &Value, default_run_ms: Option<i64>) -> Self {
        let say = |key: &str| annotation(pod, &format!("sandbox.berth.dev/{key}"));
        let oom = say("oom") == Some("true");
        let code = say("exit")
            .and_then(|clauses| exit_code(pod, clauses))
            .or_else(|| say("exit-code")?.trim().parse().ok());
        let ends = oom || code.is_some();
        let run_ms = say("run").and_then(clock::duration);
        Self {
            run_ms: run_ms.or(default_run_ms).or(ends.then_some(DEFAULT_RUN_MS)),
            code: if oom { 137 } else { code.unwrap_or_default() },
            on_term: say("on-term").map_or(OnTerm::DEFAULT, OnTerm::parse),
            pull_error: say("image") == Some("pull-error"),
            oom,
            message: say("termination-message").unwrap_or_default().to_owned(),
        }
    }
}

impl OnTerm {
    const DEFAULT: Self = Self::Exit {
        code: 143,
        after_ms: 0,
    };

    /// `hang`, or `exit=0,after=1s`.
    fn parse(text: &str) -> Self {
        let (mut code, mut after_ms) = (143, 0);
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("exit", value)) => code = value.parse().unwrap_or(code),
                Some(("after", value)) => after_ms = clock::duration(value).unwrap_or(after_ms),
                _ if part == "hang" => return Self::Hang,
                _ => {}
            }
        }
        Self::Exit { code, after_ms }
    }
}

/// The code of the first clause that fits, of clauses such as `attempt=1,rank=1:137;0`.
fn exit_code(pod: &Value, clauses: &str) -> Option<i64> {
    let fits = |conditions: &str| {
        conditions.split(',').all(|condition| {
            let Some((key, value)) = condition.trim().split_once('=') else {
                return false;
            };
            let label = pod["metadata"]["labels"].get(format!("berth.dev/{key}"));
            label.and_then(Value::as_str) == Some(value)
        })
    };
    clauses
        .split(';')
        .find_map(|clause| match clause.trim().split_once(':') {
            Some((conditions, code)) => fits(conditions).then(|| code.trim().parse().ok())?,
            None => clause.trim().parse().ok(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn script(annotations: &[(&str, &str)]) -> Script {
        let mut pod =
            json!({"metadata": {"labels": {"berth.dev/rank": "1", "berth.dev/attempt": "2"}}});
        for (key, value) in annotations {
            let key = format!("sandbox.berth.dev/{key}");
            pod["metadata"]["annotations"][key] = (*value).into();
        }
        Script::of(&pod, None)
    }

    #[test]
    fn the_first_clause_that_fits() {
        let cases = [
            ("rank=1:137;0", 137),
            ("attempt=1,rank=1:137;0", 0),
            ("attempt=2, rank=1:3;4", 3),
            ("5", 5),
        ];
        for (clauses, code) in cases {
            assert_eq!(script(&[("exit", clauses)]).code, code, "{clauses}");
        }
        assert_eq!(script(&[("exit", "rank=0:1")]).run_ms, None);
    }

    #[test]
    fn how_long_and_how_it_stops() {
        assert_eq!(script(&[]).run_ms, None);
        assert_eq!(script(&[("exit-code", "1")]).run_ms, Some(DEFAULT_RUN_MS));
        assert_eq!(script(&[("run", "500ms")]).run_ms, Some(500));
        assert_eq!(script(&[("on-term", "hang")]).on_term, OnTerm::Hang);
        let exit = OnTerm::Exit {
            code: 0,
            after_ms: 1000,
        };
        assert_eq!(script(&[("on-term", "exit=0,after=1s")]).on_term, exit);
    }
}
