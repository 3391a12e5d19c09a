//! What kube-apiserver answered to Berth, from its audit log: other clients of the same server are
//! told apart by their user agent, and nobody has to ask the server for it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::Answers;
use crate::Fallible;

/// One line for each answer, and for each watch when it begins; no bodies.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  namespaces: [kube-node-lease]
- level: Metadata
";
/// Berth's own lines have it.
const MARK: &str = "\"userAgent\":\"berth/";

/// The log, read as far as it was when it was last looked at.
#[derive(Debug)]
pub(super) struct Audit {
    log: PathBuf,
    read: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    file: Option<File>,
    rest: Vec<u8>,
    answers: Answers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    object_ref: Option<Object>,
    response_status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    api_group: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl Audit {
    /// Prepares a folder for it; also gives the arguments for kube-apiserver.
    pub(super) fn prepare(folder: &Path) -> Fallible<(Self, Vec<String>)> {
        let (policy, log) = (folder.join("audit.yaml"), folder.join("audit.log"));
        std::fs::write(&policy, POLICY)?;
        let arguments = vec![
            format!("--audit-policy-file={}", policy.display()),
            format!("--audit-log-path={}", log.display()),
            // In MB: it is never rotated.
            "--audit-log-maxsize=100000".to_owned(),
        ];
        let read = Mutex::default();
        Ok((Self { log, read }, arguments))
    }

    /// All that was answered to Berth so far.
    pub(super) fn answers(&self) -> Fallible<Answers> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress {
            file,
            rest,
            answers,
        } = &mut *read;
        let log = match file {
            Some(file) => file,
            None => file.insert(File::open(&self.log)?),
        };
        log.read_to_end(rest)?;
        let end = rest.iter().rposition(|byte| *byte == b'\n');
        let whole: Vec<u8> = rest.drain(..end.map_or(0, |end| end + 1)).collect();
        for line in String::from_utf8_lossy(&whole).lines() {
            if line.contains(MARK) {
                count(&serde_json::from_str(line)?, answers);
            }
        }
        Ok(answers.clone())
    }
}

/// A watch counts when it begins, all else when it is answered.
fn count(line: &Line, answers: &mut Answers) {
    let begins = line.verb == "watch";
    let stage = if begins {
        "ResponseStarted"
    } else {
        "ResponseComplete"
    };
    let status = line.response_status.as_ref();
    let status = status.map_or(200, |status| status.code);
    // A watch that is refused never begins.
    if line.stage != stage && !(begins && status >= 400) {
        return;
    }
    let object = line.object_ref.as_ref();
    let resource = object.map_or("", |object| &object.resource);
    let resource = match object.map_or("", |object| &object.api_group) {
        "" => resource.to_owned(),
        group => format!("{resource}.{group}"),
    };
    answers.count(&line.verb, &resource, status, 1);
}
