//! Disruption budgets: how many pods may be evicted, and what is said when none may.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Server;
use crate::clock;
use crate::failure::Failure;
use crate::kinds::pod;
use crate::object::{condition, is_deleting, list, number, text, texts};
use crate::store::Key;

/// Where budgets are kept.
pub(super) const BUDGETS: &str = "poddisruptionbudgets.policy";

impl Server {
    /// Brings the status of all budgets up to date.
    pub(super) fn count_budgets(&mut self) {
        let budgets = self.store.list(BUDGETS, None);
        let budgets: Vec<(Key, Arc<Value>)> = budgets
            .map(|(key, budget)| (key.clone(), Arc::clone(budget)))
            .collect();
        for (key, budget) in budgets {
            let status = self.counted(&key.namespace, &budget);
            if budget["status"] != status {
                let mut counted = Value::clone(&budget);
                counted["status"] = status;
                self.save(key, counted);
            }
        }
    }

    fn counted(&self, namespace: &str, budget: &Value) -> Value {
        let pods = self.store.list("pods", Some(namespace));
        let pods = pods.map(|(_, pod)| &**pod);
        let covered: Vec<&Value> = pods
            .filter(|pod| covers(budget, pod) && !pod::is_terminal(pod))
            .collect();
        let expected = i64::try_from(covered.len()).unwrap_or(i64::MAX);
        let healthy = covered.iter().filter(|pod| is_healthy(pod)).count();
        let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
        let desired = desired(budget, expected);
        let allowed = (healthy - desired).max(0);
        let (said, reason) = if allowed > 0 {
            ("True", "SufficientPods")
        } else {
            ("False", "InsufficientPods")
        };
        let known = condition(budget, "DisruptionAllowed");
        let since = known.filter(|known| known["status"] == said).map_or_else(
            || clock::seconds(self.now_ms).into(),
            |known| known["lastTransitionTime"].clone(),
        );
        json!({
            "currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed,
            "expectedPods": expected, "observedGeneration": budget["metadata"]["generation"],
            "conditions": [{
                "type": "DisruptionAllowed", "status": said, "reason": reason, "message": "",
                "observedGeneration": budget["metadata"]["generation"], "lastTransitionTime": since,
            }],
        })
    }

    /// Refuses an eviction that a budget does not allow.
    pub(super) fn check_budget(&self, namespace: &str, pod: &Value) -> Result<(), Failure> {
        let idle = text(pod, &["status", "phase"]) == "Pending";
        if pod::is_terminal(pod) || idle || is_deleting(pod) {
            return Ok(());
        }
        let budgets = self.store.list(BUDGETS, Some(namespace));
        let mut covering = budgets.filter(|(_, budget)| covers(budget, pod));
        let Some((key, budget)) = covering.next() else {
            return Ok(());
        };
        if covering.next().is_some() {
            let words = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Failure::new(500, "", words));
        }
        let status = self.counted(namespace, budget);
        let count = |field| number(&status, &[field]).unwrap_or_default();
        let (healthy, desired) = (count("currentHealthy"), count("desiredHealthy"));
        let unhealthy_goes = !is_healthy(pod) && healthy >= desired && desired > 0;
        if unhealthy_goes || count("disruptionsAllowed") > 0 {
            return Ok(());
        }
        let words = "Cannot evict pod as it would violate the pod's disruption budget.";
        let mut failure = Failure::new(429, "TooManyRequests", words);
        let message = format!(
            "The disruption budget {} needs {desired} healthy pods and has {healthy} currently",
            key.name
        );
        failure.details = json!({"causes": [{"reason": "DisruptionBudget", "message": message}]});
        Err(failure)
    }
}

/// How many pods a budget wants healthy; shares of a hundred are rounded up.
fn desired(budget: &Value, expected: i64) -> i64 {
    let amount = |field: &str| {
        let value = &budget["spec"][field];
        let share = value
            .as_str()
            .and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
        let share = share.map(|share| expected.saturating_mul(share).saturating_add(99) / 100);
        value.as_i64().or(share)
    };
    let least = amount("minAvailable");
    let rest = amount("maxUnavailable").map(|most| (expected - most).max(0));
    least.or(rest).unwrap_or_default()
}

fn is_healthy(pod: &Value) -> bool {
    let ready = condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True");
    ready && !is_deleting(pod)
}

/// Whether a budget's selector fits a pod.
fn covers(budget: &Value, pod: &Value) -> bool {
    let selector = &budget["spec"]["selector"];
    let label = |key: &str| pod["metadata"]["labels"][key].as_str();
    let fits = |demand: &Value| {
        let value = label(text(demand, &["key"]));
        let listed =
            value.is_some_and(|value| list(demand, &["values"]).iter().any(|v| v == value));
        match text(demand, &["operator"]) {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    };
    selector.is_object()
        && texts(selector, &["matchLabels"]).all(|(key, value)| label(key) == Some(value))
        && list(selector, &["matchExpressions"]).iter().all(fits)
}
