//! What a layer of a pod uses beyond the ordinary.

use crate::object::{Node, Place, Value};

/// One thing that a Queue must allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinds) enum Use {
    ServiceAccount(String),
    Secret(String),
    Claim(String),
    HostPath(String),
    /// The field that asks for it.
    Host(&'static str),
    /// The field that asks for it.
    Privileged(&'static str),
}

/// Everything that a layer (`metadata`, `spec`) uses, each with its place.
pub(in crate::kinds) fn uses(layer: &Node) -> Vec<(Use, Place)> {
    let mut found = Found(Vec::new());
    if let Some(spec) = layer.get("spec") {
        found.pod(spec);
        for volume in list(spec, "volumes") {
            found.volume(volume, account(spec));
        }
        for kind in ["containers", "initContainers"] {
            for container in list(spec, kind) {
                found.container(container);
            }
        }
    }
    found.0
}

struct Found(Vec<(Use, Place)>);

impl Found {
    fn pod(&mut self, spec: &Node) {
        self.text(spec.get("serviceAccountName"), Use::ServiceAccount);
        // Null takes away the `false` that every pod starts from.
        let mounts = spec.get("automountServiceAccountToken");
        if let Some(mounts) = mounts.filter(|it| it.value != Value::Bool(false)) {
            let account = account(spec).to_owned();
            self.0.push((Use::ServiceAccount(account), mounts.place));
        }
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            self.flag(spec.get(field), Use::Host(field));
        }
        for secret in list(spec, "imagePullSecrets") {
            self.text(secret.get("name"), Use::Secret);
        }
        if let Some(sysctls) = spec
            .at(&["securityContext", "sysctls"])
            .filter(|it| !it.items().is_empty())
        {
            self.0.push((Use::Privileged("sysctls"), sysctls.place));
        }
        if let Some(security) = spec.get("securityContext") {
            self.unconfined(security);
        }
        self.flag(
            spec.at(&["securityContext", "windowsOptions", "hostProcess"]),
            Use::Privileged("hostProcess"),
        );
    }

    /// Confinement that is taken off a pod or container.
    fn unconfined(&mut self, security: &Node) {
        for profile in ["seccompProfile", "appArmorProfile"] {
            let kind = security.at(&[profile, "type"]);
            if let Some(kind) = kind.filter(|it| it.as_str() == Some("Unconfined")) {
                self.0.push((Use::Privileged(profile), kind.place));
            }
        }
    }

    fn volume(&mut self, volume: &Node, account: &str) {
        self.text(volume.at(&["hostPath", "path"]), Use::HostPath);
        self.text(volume.at(&["secret", "secretName"]), Use::Secret);
        self.text(volume.at(&["azureFile", "secretName"]), Use::Secret);
        self.text(
            volume.at(&["persistentVolumeClaim", "claimName"]),
            Use::Claim,
        );
        for source in volume
            .get("projected")
            .map_or(&[][..], |it| list(it, "sources"))
        {
            self.text(source.at(&["secret", "name"]), Use::Secret);
            if let Some(token) = source.get("serviceAccountToken") {
                self.0
                    .push((Use::ServiceAccount(account.to_owned()), token.place));
            }
        }
        for (_, source) in volume.entries() {
            for reference in ["secretRef", "nodePublishSecretRef"] {
                self.text(source.at(&[reference, "name"]), Use::Secret);
            }
        }
    }

    fn container(&mut self, container: &Node) {
        for variable in list(container, "env") {
            self.text(
                variable.at(&["valueFrom", "secretKeyRef", "name"]),
                Use::Secret,
            );
        }
        for source in list(container, "envFrom") {
            self.text(source.at(&["secretRef", "name"]), Use::Secret);
        }
        for port in list(container, "ports") {
            if let Some(host) = port
                .get("hostPort")
                .filter(|it| !matches!(it.value, Value::Null))
            {
                self.0.push((Use::Host("hostPort"), host.place));
            }
        }
        let Some(security) = container.get("securityContext") else {
            return;
        };
        self.unconfined(security);
        self.flag(security.get("privileged"), Use::Privileged("privileged"));
        self.flag(
            security.at(&["windowsOptions", "hostProcess"]),
            Use::Privileged("hostProcess"),
        );
        if let Some(added) = security
            .at(&["capabilities", "add"])
            .filter(|it| !it.items().is_empty())
        {
            self.0
                .push((Use::Privileged("capabilities.add"), added.place));
        }
        if let Some(mount) = security
            .get("procMount")
            .filter(|it| it.as_str() == Some("Unmasked"))
        {
            self.0.push((Use::Privileged("procMount"), mount.place));
        }
    }

    fn text(&mut self, node: Option<&Node>, of: impl Fn(String) -> Use) {
        if let Some((node, text)) = node.and_then(|node| Some((node, node.as_str()?))) {
            self.0.push((of(text.to_owned()), node.place));
        }
    }

    fn flag(&mut self, node: Option<&Node>, of: Use) {
        if let Some(node) = on(node) {
            self.0.push((of, node.place));
        }
    }
}

/// The service account of a pod.
fn account(spec: &Node) -> &str {
    spec.get("serviceAccountName")
        .and_then(Node::as_str)
        .unwrap_or("default")
}

/// A flag that is set.
fn on(node: Option<&Node>) -> Option<&Node> {
    node.filter(|node| node.value == Value::Bool(true))
}

fn list<'a>(node: &'a Node, field: &str) -> &'a [Node] {
    node.get(field).map_or(&[], Node::items)
}
