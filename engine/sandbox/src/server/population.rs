//! What a new cluster has.

use serde_json::{Value, json};

use super::Server;
use crate::clock;
use crate::kinds::rules;
use crate::object::set;
use crate::options::NodePool;
use crate::store::Key;

impl Server {
    /// Makes the first namespaces, priority classes and nodes.
    pub(super) fn populate(&mut self) {
        for namespace in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            self.found(
                "namespaces",
                "v1",
                "Namespace",
                json!({"metadata": {"name": namespace}}),
            );
        }
        for (class, value) in [
            ("system-cluster-critical", 2_000_000_000),
            ("system-node-critical", 2_000_001_000),
        ] {
            let class = json!({"metadata": {"name": class}, "value": value});
            self.found(
                "priorityclasses.scheduling.k8s.io",
                "scheduling.k8s.io/v1",
                "PriorityClass",
                class,
            );
        }
        self.found("services", "v1", "Service", json!({
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
        }));
        let mut ordinal = 0;
        for pool in self.options.nodes.clone() {
            for number in 0..pool.count {
                ordinal += 1;
                self.found(
                    "nodes",
                    "v1",
                    "Node",
                    node(&pool, number, ordinal, self.now_ms),
                );
            }
        }
    }

    fn found(&mut self, resource: &str, api_version: &str, kind: &str, mut object: Value) {
        set(&mut object, &["apiVersion"], api_version);
        set(&mut object, &["kind"], kind);
        set(&mut object, &["metadata", "uid"], self.random.uuid());
        set(
            &mut object,
            &["metadata", "creationTimestamp"],
            clock::seconds(self.now_ms),
        );
        if let Some(kind) = self.kinds.stored(resource) {
            rules::defaults(&kind, &mut object, None);
            rules::begin(&kind, &mut object, self.now_ms);
        }
        let key = Key::new(
            resource,
            crate::object::namespace(&object),
            crate::object::name(&object),
        );
        self.save(key, object);
    }
}

fn node(pool: &NodePool, number: u32, ordinal: u32, now_ms: i64) -> Value {
    let name = format!("{}{number}", pool.prefix);
    let mut amounts = json!({
        "cpu": pool.cpu.to_string(), "memory": format!("{}Gi", pool.memory_gib), "pods": "110",
        "ephemeral-storage": "1Ti",
    });
    if !pool.resource.is_empty() && pool.slots > 0 {
        amounts[&pool.resource] = pool.slots.to_string().into();
    }
    let mut labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
    });
    for (key, value) in &pool.labels {
        labels[key] = value.as_str().into();
    }
    let [_, _, high, low] = ordinal.to_be_bytes();
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {
            "capacity": amounts, "allocatable": amounts,
            "addresses": [
                {"type": "InternalIP", "address": format!("10.0.{high}.{low}")},
                {"type": "Hostname", "address": name},
            ],
            "conditions": [ready(now_ms)],
            "nodeInfo": {
                "kubeletVersion": berth_openapi::facts().version(), "osImage": "Berth sandbox",
                "kernelVersion": "simulated", "containerRuntimeVersion": "simulated://1", "operatingSystem": "linux",
                "architecture": "amd64", "machineID": "", "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
            },
        },
    })
}

/// The condition of a node that works.
pub(crate) fn ready(now_ms: i64) -> Value {
    json!({
        "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
        "lastHeartbeatTime": clock::seconds(now_ms), "lastTransitionTime": clock::seconds(now_ms),
    })
}
