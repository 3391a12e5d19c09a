//! Which fields of a pod reach beyond it, by Kubernetes' own types.
//!
//! Types through which a pod can reach a secret, a claim, the node or more rights are guarded field
//! by field: what is neither free nor asks for something is refused, so that a field that a later
//! Kubernetes adds to one of them is refused until somebody has looked at it.

use berth_openapi::{Shape, facts};

/// What a field asks the Queue for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Its value names a service account.
    Account,
    /// It shows the pod's service account to the pod.
    Token,
    /// Its value names a priority class: the scheduler takes pods of others away for it.
    PriorityClass,
    /// Its value names a Secret.
    Secret,
    /// Its value names a claim.
    Claim,
    /// Its value is a path of the node.
    HostPath,
    /// The node's network, processes or memory.
    Host,
    /// More rights than a container has.
    Privileged,
    /// More rights, if it has this value.
    PrivilegedIf(&'static str),
    /// A kind of volume.
    Volume,
}

/// What becomes of fields that are neither free nor have a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    Free,
    Refused,
    /// They are kinds of volumes.
    Volumes,
}

/// One guarded type.
pub(super) struct Guard {
    /// Its name within `io.k8s.api.core.v1`.
    pub of: &'static str,
    pub rules: &'static [(&'static str, Rule)],
    pub free: &'static [&'static str],
    pub others: Others,
}

const fn asks(of: &'static str, rules: &'static [(&'static str, Rule)]) -> Guard {
    Guard {
        of,
        rules,
        free: &[],
        others: Others::Free,
    }
}

const fn closed(
    of: &'static str,
    rules: &'static [(&'static str, Rule)],
    free: &'static [&'static str],
) -> Guard {
    Guard {
        of,
        rules,
        free,
        others: Others::Refused,
    }
}

/// All guarded types.
#[rustfmt::skip]
pub(super) const GUARDS: &[Guard] = &[
    closed("PodSpec", &[
        ("serviceAccountName", Rule::Account),
        ("priorityClassName", Rule::PriorityClass),
        ("automountServiceAccountToken", Rule::Token),
        ("hostNetwork", Rule::Host),
        ("hostPID", Rule::Host),
        ("hostIPC", Rule::Host),
        ("resourceClaims", Rule::Privileged),
    ], &[
        "activeDeadlineSeconds", "affinity", "containers", "dnsConfig", "dnsPolicy", "enableServiceLinks",
        "ephemeralContainers", "hostAliases", "hostUsers", "hostname", "hostnameOverride", "imagePullSecrets",
        "initContainers", "nodeName", "nodeSelector", "os", "overhead", "preemptionPolicy", "priority",
        "readinessGates", "resources", "restartPolicy", "runtimeClassName",
        "schedulerName", "schedulingGates", "schedulingGroup", "securityContext", "serviceAccount",
        "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds",
        "tolerations", "topologySpreadConstraints", "volumes",
    ]),
    closed("Container", &[], &[
        "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "name",
        "ports", "readinessProbe", "resizePolicy", "resources", "restartPolicy", "restartPolicyRules",
        "securityContext", "startupProbe", "stdin", "stdinOnce", "terminationMessagePath",
        "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir",
    ]),
    asks("ContainerPort", &[("hostPort", Rule::Host)]),
    // The kubelet calls from the node's network.
    asks("HTTPGetAction", &[("host", Rule::Host)]),
    asks("TCPSocketAction", &[("host", Rule::Host)]),
    closed("EnvFromSource", &[], &["configMapRef", "prefix", "secretRef"]),
    closed("EnvVarSource", &[], &[
        "configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef",
    ]),
    asks("SecretEnvSource", &[("name", Rule::Secret)]),
    asks("SecretKeySelector", &[("name", Rule::Secret)]),
    asks("SecretProjection", &[("name", Rule::Secret)]),
    asks("SecretVolumeSource", &[("secretName", Rule::Secret)]),
    // In a pod these name Secrets: pull secrets, and those of volumes.
    asks("LocalObjectReference", &[("name", Rule::Secret)]),
    asks("SecretReference", &[("name", Rule::Secret)]),
    asks("AzureFileVolumeSource", &[("secretName", Rule::Secret)]),
    asks("CephFSVolumeSource", &[("secretFile", Rule::HostPath)]),
    asks("RBDVolumeSource", &[("keyring", Rule::HostPath)]),
    asks("HostPathVolumeSource", &[("path", Rule::HostPath)]),
    asks("PersistentVolumeClaimVolumeSource", &[("claimName", Rule::Claim)]),
    Guard {
        of: "Volume",
        rules: &[],
        free: &[
            "configMap", "downwardAPI", "emptyDir", "hostPath", "image", "name", "persistentVolumeClaim",
            "projected", "secret",
        ],
        others: Others::Volumes,
    },
    closed("VolumeProjection", &[
        ("serviceAccountToken", Rule::Token),
        ("podCertificate", Rule::Token),
    ], &["clusterTrustBundle", "configMap", "downwardAPI", "secret"]),
    // The claim of an ephemeral volume may be a copy of another one.
    closed("PersistentVolumeClaimSpec", &[
        ("selector", Rule::Privileged),
        ("volumeName", Rule::Privileged),
    ], &[
        "accessModes", "dataSource", "dataSourceRef", "resources", "storageClassName",
        "volumeAttributesClassName", "volumeMode",
    ]),
    asks("TypedLocalObjectReference", &[("name", Rule::Claim)]),
    asks("TypedObjectReference", &[("name", Rule::Claim)]),
    closed("PodSecurityContext", &[("sysctls", Rule::Privileged)], &[
        "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot", "runAsUser",
        "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile", "supplementalGroups",
        "supplementalGroupsPolicy", "windowsOptions",
    ]),
    closed("SecurityContext", &[
        ("privileged", Rule::Privileged),
        ("procMount", Rule::PrivilegedIf("Unmasked")),
    ], &[
        "allowPrivilegeEscalation", "appArmorProfile", "capabilities", "readOnlyRootFilesystem", "runAsGroup",
        "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile", "windowsOptions",
    ]),
    closed("Capabilities", &[("add", Rule::Privileged)], &["drop"]),
    asks("SeccompProfile", &[("type", Rule::PrivilegedIf("Unconfined"))]),
    asks("AppArmorProfile", &[("type", Rule::PrivilegedIf("Unconfined"))]),
    closed("SELinuxOptions", &[
        ("role", Rule::Privileged),
        ("type", Rule::Privileged),
        ("user", Rule::Privileged),
    ], &["level"]),
    asks("WindowsSecurityContextOptions", &[("hostProcess", Rule::Privileged)]),
];

/// The guard of the type that a shape names.
pub(super) fn guard(shape: &Shape) -> Option<&'static Guard> {
    let Shape::Ref(name) = shape else {
        return None;
    };
    let name = name.strip_prefix("io.k8s.api.core.v1.")?;
    GUARDS.iter().find(|guard| guard.of == name)
}

impl Guard {
    /// What a field asks for; the error means that it is refused whatever the Queue allows.
    pub fn rule(&self, field: &str) -> Result<Option<Rule>, ()> {
        if let Some((_, rule)) = self.rules.iter().find(|(name, _)| *name == field) {
            return Ok(Some(*rule));
        }
        match self.others {
            _ if self.free.contains(&field) => Ok(None),
            Others::Free => Ok(None),
            Others::Volumes => Ok(Some(Rule::Volume)),
            Others::Refused => Err(()),
        }
    }
}

impl Rule {
    /// The field of the Queue's `allow` that grants it.
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Account | Self::Token => "serviceAccounts",
            Self::PriorityClass => "priorityClasses",
            Self::Secret => "secrets",
            Self::Claim => "claims",
            Self::HostPath => "hostPaths",
            Self::Host => "hostNetwork",
            Self::Privileged | Self::PrivilegedIf(_) => "privileged",
            Self::Volume => "volumes",
        }
    }
}

/// The kinds of volumes that a Queue can allow.
pub(in crate::kinds) fn volume_kinds() -> Vec<&'static str> {
    let volume = facts().type_named("io.k8s.api.core.v1.Volume");
    let Some(Shape::Object(fields)) = volume else {
        return Vec::new();
    };
    let guard = GUARDS.iter().find(|guard| guard.of == "Volume");
    let free = |name: &str| guard.is_some_and(|guard| guard.free.contains(&name));
    let names = fields.fields.keys().map(String::as_str);
    names.filter(|name| !free(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn fields_of(name: &str) -> Vec<String> {
        match facts().type_named(&format!("io.k8s.api.core.v1.{name}")) {
            Some(Shape::Object(fields)) => fields.fields.keys().cloned().collect(),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn every_rule_is_about_a_field_of_kubernetes() {
        for guard in GUARDS {
            let fields = fields_of(guard.of);
            let named = guard.rules.iter().map(|(name, _)| name).chain(guard.free);
            for name in named {
                assert!(fields.iter().any(|it| it == name), "{}.{name}", guard.of);
            }
        }
    }

    /// After an upgrade of the facts this names the fields to look at; until then they are refused.
    #[test]
    fn every_field_of_a_closed_type_was_looked_at() {
        for guard in GUARDS.iter().filter(|it| it.others == Others::Refused) {
            for field in fields_of(guard.of) {
                assert!(guard.rule(&field).is_ok(), "{}.{field}", guard.of);
            }
        }
    }

    /// All types that a pod's spec is made of.
    fn reachable() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![Shape::Ref("io.k8s.api.core.v1.PodSpec".to_owned())];
        while let Some(shape) = open.pop() {
            match shape {
                Shape::Ref(name) if found.insert(name.clone()) => {
                    open.extend(facts().type_named(&name).cloned());
                }
                Shape::Object(fields) => {
                    open.extend(fields.fields.into_values().map(|it| it.shape));
                }
                Shape::List { item, .. } => open.push(*item),
                Shape::Map { value, .. } => open.push(*value),
                _ => {}
            }
        }
        found
    }

    #[test]
    fn whatever_names_a_secret_or_a_claim_is_guarded() {
        let mut seen = 0;
        for name in reachable() {
            let Some(Shape::Object(fields)) = facts().type_named(&name) else {
                continue;
            };
            let short = name.rsplit('.').next().unwrap_or_default();
            let by_name = ["Secret", "ObjectReference"]
                .iter()
                .any(|it| short.contains(it));
            for (field, it) in &fields.fields {
                let is_text = matches!(it.shape, Shape::String { .. });
                let names = field == "name" || field.ends_with("Name");
                let lower = field.to_lowercase();
                let tells = (lower.contains("secret") || lower.contains("claim"))
                    && !lower.ends_with("namespace");
                if !is_text || !(tells || by_name && names) {
                    continue;
                }
                seen += 1;
                // What stands below a refused field needs no rule of its own.
                let refused = short == "PodResourceClaim" || short == "ResourceClaim";
                let rule = GUARDS
                    .iter()
                    .find(|it| it.of == short)
                    .map(|it| it.rule(field));
                assert!(
                    refused || matches!(rule, Some(Ok(Some(_)))),
                    "{short}.{field}"
                );
            }
        }
        assert!(seen >= 8, "{seen}");
    }
}
