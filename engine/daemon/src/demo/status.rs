//! What the status branch says, read with git as any user would.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DemoError;
use super::repository::StateRepository;

/// The status files of the experiments, by name.
#[derive(Debug, Default)]
pub struct Status {
    files: BTreeMap<String, (String, Value)>,
    summary: Value,
}

impl Status {
    /// Reads the tip of the branch.
    pub fn read(repository: &StateRepository, branch: &str) -> Result<Self, DemoError> {
        let mut status = Self::default();
        for path in repository.files(branch) {
            if path == "summary.yaml" {
                status.summary = parsed(repository, branch, &path)?;
            } else if let Some(name) = experiment(&path) {
                let value = parsed(repository, branch, &path)?;
                status.files.insert(name.to_owned(), (path.clone(), value));
            }
        }
        Ok(status)
    }

    /// What the summary says of documents that are not valid, one line each.
    pub fn errors(&self) -> Vec<&str> {
        texts(&self.summary["errors"])
    }

    /// What it says of an experiment.
    pub fn of(&self, experiment: &str) -> Entry<'_> {
        Entry(
            self.files
                .get(experiment)
                .map_or(&Value::Null, |(_, value)| value),
        )
    }

    /// The path of an experiment's file.
    pub fn path(&self, experiment: &str) -> Option<&str> {
        self.files.get(experiment).map(|(path, _)| path.as_str())
    }
}

fn parsed(repository: &StateRepository, branch: &str, path: &str) -> Result<Value, DemoError> {
    let text = repository.show(branch, path)?;
    serde_saphyr::from_str(&text)
        .map_err(|error| DemoError::untrue(format!("`{path}` cannot be read: {error}")))
}

/// The experiment of `experiment/1a/vision.resnet50.yaml`.
fn experiment(path: &str) -> Option<&str> {
    let file = path.strip_prefix("experiment/")?.rsplit('/').next()?;
    let (_queue, name) = file.strip_suffix(".yaml")?.split_once('.')?;
    Some(name)
}

/// One status file.
#[derive(Clone, Copy)]
pub struct Entry<'a>(&'a Value);

impl<'a> Entry<'a> {
    /// `Running`, `Completed` ...; empty if there is no file.
    pub fn state(self) -> &'a str {
        self.0["status"]["state"].as_str().unwrap_or_default()
    }

    /// What takes effect at the next attempt.
    pub fn outdated(self) -> Vec<&'a str> {
        texts(&self.0["status"]["outdated"])
    }

    /// Its runs, oldest first.
    pub fn runs(self) -> &'a [Value] {
        list(&self.0["ledger"]["runs"])
    }

    /// The attempts of the last run's first trial, oldest first.
    pub fn attempts(self) -> &'a [Value] {
        let run = self.runs().last().unwrap_or(&Value::Null);
        list(&run["trials"][0]["attempts"])
    }

    /// Whether the file says that the document is withdrawn.
    pub fn withdrawn(self) -> bool {
        self.0["ledger"]["withdrawn"].as_bool().unwrap_or_default()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::experiment;

    #[test]
    fn paths_name_experiments() {
        assert_eq!(
            experiment("experiment/1a/vision.resnet50.yaml"),
            Some("resnet50")
        );
        assert_eq!(experiment("queue/1a/vision.yaml"), None);
        assert_eq!(experiment("summary.yaml"), None);
    }
}
