//! The status branch, as anybody reads it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::repository::StateRepository;

/// The files of the branch's tip.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The commit; `None` if there is no branch.
    pub tip: Option<String>,
    /// Every file, as text.
    pub files: BTreeMap<String, String>,
    units: BTreeMap<String, Value>,
}

impl Status {
    /// Reads the tip.
    pub fn read(repository: &StateRepository, branch: &str, before: &Self) -> Self {
        let tip = repository.tip(branch);
        tip.map_or_else(Self::default, |tip| Self::at(repository, &tip, before))
    }

    /// Reads any commit of it; what is as it was `before` is not read again.
    pub fn at(repository: &StateRepository, commit: &str, before: &Self) -> Self {
        let files = repository.files(commit);
        let read = |(path, text): (&String, &String)| {
            let unit = unit(path)?;
            let value = match before.units.get(&unit) {
                Some(known) if before.files.get(path) == Some(text) => known.clone(),
                _ => serde_saphyr::from_str(text)
                    .unwrap_or_else(|error| panic!("`{path}` cannot be read: {error}\n{text}")),
            };
            Some((unit, value))
        };
        Self {
            units: files.iter().filter_map(read).collect(),
            tip: Some(commit.to_owned()),
            files,
        }
    }

    /// The file of a unit, such as `experiment vision.a` or `queue vision`.
    pub fn unit(&self, unit: &str) -> &Value {
        self.units.get(unit).unwrap_or(&Value::Null)
    }

    /// The files of all experiments.
    pub(super) fn experiments(&self) -> impl Iterator<Item = &Value> {
        let of = |(unit, _): &(&String, _)| unit.starts_with("experiment ");
        self.units.iter().filter(of).map(|(_, file)| file)
    }

    /// The file of an experiment of the queue `vision`.
    pub fn of(&self, name: &str) -> &Value {
        self.unit(&format!("experiment vision.{name}"))
    }

    /// `Running`, `Completed` ...; empty if there is no file.
    pub fn state(&self, name: &str) -> &str {
        self.of(name)["status"]["state"]
            .as_str()
            .unwrap_or_default()
    }

    /// What it waits for, or why it is so.
    pub fn message(&self, name: &str) -> &str {
        self.of(name)["status"]["message"]
            .as_str()
            .unwrap_or_default()
    }

    /// Its findings, one line each.
    pub fn findings(&self, name: &str) -> String {
        texts(&self.of(name)["status"]["findings"]).join("\n")
    }

    /// The errors of the snapshot, one line each, as `summary.yaml` has them.
    pub fn errors(&self) -> String {
        texts(&self.summary()["errors"]).join("\n")
    }

    /// Why the newest commit is not in force, one line each; empty if it is.
    pub fn not_in_force(&self) -> String {
        texts(&self.summary()["notInForce"]["errors"]).join("\n")
    }

    fn summary(&self) -> Value {
        let text = self.files.get("summary.yaml").map_or("", String::as_str);
        serde_saphyr::from_str(text).unwrap_or_default()
    }

    /// What takes effect at the next attempt.
    pub fn outdated(&self, name: &str) -> Vec<&str> {
        texts(&self.of(name)["status"]["outdated"])
    }

    /// Its runs, oldest first.
    pub fn runs(&self, name: &str) -> &[Value] {
        list(&self.of(name)["ledger"]["runs"])
    }

    /// The only trial of the last run.
    pub fn trial(&self, name: &str) -> &Value {
        self.runs(name)
            .last()
            .map_or(&Value::Null, |run| &run["trials"][0])
    }

    /// The attempts of the last run: number and result (empty while it goes on).
    pub fn attempts(&self, name: &str) -> Vec<(u64, &str)> {
        let attempts = list(&self.trial(name)["attempts"]).iter();
        let result = |attempt: &'_ Value| attempt["number"].as_u64().unwrap_or_default();
        attempts
            .map(|attempt| {
                let end = &attempt["end"]["result"];
                (result(attempt), end.as_str().unwrap_or_default())
            })
            .collect()
    }

    /// How often the program of the last run failed.
    pub fn restarts(&self, name: &str) -> u64 {
        self.trial(name)["restarts"].as_u64().unwrap_or_default()
    }

    /// One line a unit, for reports of tests.
    pub fn describe(&self) -> String {
        let line = |(unit, file): (&String, &Value)| {
            let status = &file["status"];
            let runs = list(&file["ledger"]["runs"]).len();
            format!("  {unit}: {status}, {runs} runs\n")
        };
        let units: String = self.units.iter().map(line).collect();
        format!("{units}  errors: {}\n", self.errors())
    }
}

/// `experiment vision.a` of `experiment/1a/vision.a.yaml`.
fn unit(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let [kind, _shard, file] = parts[..] else {
        return None;
    };
    Some(format!("{kind} {}", file.strip_suffix(".yaml")?))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}
