//! Subresources that are no part of the object.

use serde_json::{Value, json};

use super::delete::DeleteOptions;
use super::part::other_uid;
use super::write::key;
use super::{Call, Server};
use crate::clock;
use crate::failure::Failure;
use crate::kinds::pod;
use crate::object::{is_deleting, list, name, set, set_condition, text, uid};
use crate::request::Response;

impl Server {
    /// Answers what is not a part of the object; `None` for `status` and the like.
    pub(super) fn subresource(
        &mut self,
        call: &Call,
        subresource: &str,
    ) -> Option<Result<Response, Failure>> {
        Some(match (&*call.kind.storage, subresource, call.verb) {
            (_, "status", _) | ("namespaces", "finalize", "update") => return None,
            ("pods", "binding", "create") => self.bind(call),
            ("pods", "eviction", "create") => self.evict(call),
            ("pods", "log", "get" | "watch") => self.log(call),
            _ => Err(Failure::method_not_allowed()),
        })
    }

    fn bind(&mut self, call: &Call) -> Result<Response, Failure> {
        let binding: Value = read(call)?;
        if name(&binding) != call.key().name {
            let words = "name in URL does not match name in Binding object";
            return Err(Failure::bad_request(words));
        }
        let pod = self.existing(call)?;
        let wanted = uid(&binding);
        if !wanted.is_empty() && wanted != uid(&pod) {
            return Err(other_uid(&call.kind, &pod, wanted));
        }
        let node = text(&pod, &["spec", "nodeName"]);
        let why = if is_deleting(&pod) {
            format!(
                "pod {} is being deleted, cannot be assigned to a host",
                call.key().name
            )
        } else if !list(&pod, &["spec", "schedulingGates"]).is_empty() {
            format!(
                "pod {} has non-empty .spec.schedulingGates",
                call.key().name
            )
        } else if node.is_empty() {
            if call.is_dry_run() {
                return Ok(Response::json(201, &created()));
            }
            let mut bound = Value::clone(&pod);
            assign(&mut bound, text(&binding, &["target", "name"]), self.now_ms);
            self.save(key(&call.kind, &pod), bound);
            return Ok(Response::json(201, &created()));
        } else {
            format!(
                "pod {} is already assigned to node \"{node}\"",
                call.key().name
            )
        };
        Err(unbound(&call.key().name, &why))
    }

    fn evict(&mut self, call: &Call) -> Result<Response, Failure> {
        let eviction: Value = read(call)?;
        if name(&eviction) != call.key().name {
            let words = "name in URL does not match name in Eviction object";
            return Err(Failure::bad_request(words));
        }
        let pod = self.existing(call)?;
        let options = DeleteOptions::read(&eviction["deleteOptions"]);
        self.check_budget(&call.key().namespace, &pod)?;
        let mut disrupted = Value::clone(&pod);
        if call.is_dry_run() {
            return Ok(Response::json(201, &created()));
        }
        let key = key(&call.kind, &pod);
        if !pod::is_terminal(&pod) && !is_deleting(&pod) {
            let message = "Eviction API: evicting";
            set_condition(
                &mut disrupted,
                disruption("EvictionByEvictionAPI", message, self.now_ms),
            );
        }
        // The preconditions are those of the pod that the client saw.
        self.retire(&call.kind, &key, &pod, &options.clone().dry())?;
        let disrupted = if disrupted == *pod {
            pod
        } else {
            self.save(key.clone(), disrupted)
        };
        self.retire(&call.kind, &key, &disrupted, &options.unconditional())?;
        Ok(Response::json(201, &created()))
    }

    fn log(&mut self, call: &Call) -> Result<Response, Failure> {
        let pod = self.existing(call)?;
        let wanted = call.request.param("container").unwrap_or_default();
        let statuses = list(&pod, &["status", "containerStatuses"]);
        let status = statuses
            .iter()
            .find(|status| wanted.is_empty() || text(status, &["name"]) == wanted);
        let state = status
            .map(|status| &status["state"])
            .filter(|state| state.get("waiting").is_none());
        let Some(state) = state else {
            let container = text(&pod["spec"]["containers"][0], &["name"]);
            let why = format!(
                "container \"{container}\" in pod \"{}\" is waiting to start: ContainerCreating",
                call.key().name
            );
            return Err(Failure::bad_request(why));
        };
        let mut lines = vec![format!("{} starts", call.key().name)];
        if let Some(code) = state["terminated"]["exitCode"].as_i64() {
            lines.push(format!("{} ends with {code}", call.key().name));
        }
        let tail = call
            .request
            .param("tailLines")
            .and_then(|tail| tail.parse().ok())
            .unwrap_or(usize::MAX);
        let kept = &lines[lines.len().saturating_sub(tail)..];
        let text = format!("{}\n", kept.join("\n"));
        Ok(Response::of(200, "text/plain", text.into_bytes()))
    }
}

/// Puts a pod on a node.
pub(crate) fn assign(pod: &mut Value, node: &str, now_ms: i64) {
    set(pod, &["spec", "nodeName"], node);
    set_condition(
        pod,
        json!({
            "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": clock::seconds(now_ms),
        }),
    );
}

/// The condition of a pod that someone else than its program ends.
pub(crate) fn disruption(reason: &str, message: &str, now_ms: i64) -> Value {
    json!({
        "type": "DisruptionTarget", "status": "True", "reason": reason, "message": message, "lastProbeTime": null,
        "lastTransitionTime": clock::seconds(now_ms),
    })
}

fn unbound(pod: &str, why: &str) -> Failure {
    let message = format!("Operation cannot be fulfilled on pods/binding \"{pod}\": {why}");
    let mut failure = Failure::new(409, "Conflict", message);
    failure.details = json!({"name": pod, "kind": "pods/binding"});
    failure
}

/// A body of another kind than the resource's.
fn read(call: &Call) -> Result<Value, Failure> {
    serde_json::from_slice(&call.request.body)
        .map_err(|error| Failure::bad_request(error.to_string()))
}

fn created() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}
