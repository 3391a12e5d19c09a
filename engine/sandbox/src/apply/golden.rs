//! What a real API server of the facts' version answered to writes, one a line of `golden.json`:
//! the object before, the body, and the object after or the words of the refusal.

use berth_openapi::{Shape, facts};
use serde_json::Value;

use super::compare::compare;
use super::{ApplyError, PatchKind, Write, apply, default, normalize, patch, update};

/// What the server adds to a new object after it has noted who owns what.
const LATER: [&str; 6] = [
    "priority",
    "preemptionPolicy",
    "tolerations",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
];

struct Case {
    line: usize,
    step: Value,
}

impl Case {
    fn text(&self, name: &str) -> &str {
        self.step[name].as_str().unwrap()
    }

    /// The object before the write.
    fn live(&self) -> Option<&Value> {
        self.step.get("live")
    }

    fn kind(&self) -> &Value {
        self.live().unwrap_or(&self.step["body"])
    }

    fn write(&self) -> Write<'_> {
        Write {
            shape: self.shape(),
            manager: self.text("manager"),
            api_version: self.kind()["apiVersion"].as_str().unwrap(),
            subresource: self.step["subresource"].as_str(),
            now: "2026-01-01T00:00:00Z",
        }
    }

    fn check(&self) {
        match self.text("op") {
            "apply" => self.check_apply(),
            "update" => self.check_owners(),
            "merge" => self.check_patch(PatchKind::Merge),
            _ => self.check_patch(PatchKind::Strategic),
        }
    }

    fn check_apply(&self) {
        let force = self.step["force"] == true;
        match apply(&self.write(), self.live(), &self.step["body"], force) {
            Ok(mut object) => {
                assert_eq!(
                    owners(&object),
                    owners(&self.step["after"]),
                    "line {}",
                    self.line
                );
                default(&mut object, self.shape());
                self.check_values(&object);
            }
            Err(ApplyError::Conflicts(conflicts)) => {
                assert_eq!(
                    conflicts.to_string(),
                    self.text("refused"),
                    "line {}",
                    self.line
                );
                assert_eq!(
                    Value::Array(conflicts.causes()),
                    self.step["causes"],
                    "line {}",
                    self.line
                );
            }
            Err(other) => panic!("line {}: {other}", self.line),
        }
    }

    fn check_patch(&self, kind: PatchKind) {
        let live = self.live().unwrap();
        let mut object = patch(kind, live, &self.step["body"], self.shape()).unwrap();
        normalize(&mut object, self.shape());
        default(&mut object, self.shape());
        self.check_values(&object);
        self.check_owners();
    }

    /// Whether all that `object` says is so on the server; there are more defaults there.
    fn check_values(&self, object: &Value) {
        let (ours, theirs) = (bare(object), bare(&self.step["after"]));
        let written = compare(self.shape(), Some(&theirs), Some(&ours)).written();
        assert_eq!(written.paths(), [""; 0], "line {}: {ours:#}", self.line);
    }

    fn shape(&self) -> &'static Shape {
        let version = self.kind()["apiVersion"].as_str().unwrap();
        let resource = facts()
            .kind(version, self.kind()["kind"].as_str().unwrap())
            .unwrap();
        facts().type_named(&resource.type_name).unwrap()
    }

    fn check_owners(&self) {
        let mut new = bare(&self.step["after"]);
        if self.step.get("subresource").is_none() {
            // The server does not let this write touch it.
            let status = self.live().and_then(|live| live.get("status").cloned());
            new.as_object_mut().unwrap().remove("status");
            if let Some(status) = status {
                new["status"] = status;
            }
        }
        if self.live().is_none()
            && let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut)
        {
            spec.retain(|name, _| !LATER.contains(&name.as_str()));
        }
        let object = update(&self.write(), self.live(), new);
        assert_eq!(
            owners(&object),
            owners(&self.step["after"]),
            "line {}",
            self.line
        );
    }
}

fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    object
}

/// The entries without their times, sorted, as times sort them.
fn owners(object: &Value) -> Vec<String> {
    let mut entries = object["metadata"]["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for entry in &mut entries {
        entry.as_object_mut().unwrap().remove("time");
    }
    let mut entries: Vec<_> = entries.iter().map(|each| format!("{each:#}")).collect();
    entries.sort();
    entries
}

#[test]
fn every_write_ends_as_on_the_real_server() {
    let steps: Vec<Value> = serde_json::from_str(include_str!("golden.json")).unwrap();
    assert!(steps.len() > 20);
    for (place, step) in steps.into_iter().enumerate() {
        Case {
            line: place + 2,
            step,
        }
        .check();
    }
}
