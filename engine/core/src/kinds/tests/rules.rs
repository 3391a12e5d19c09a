//! Values of a layer that are of the right type and that no server takes.

use super::{findings, of_experiment, shown, with_layer};
use crate::desired::fixture::experiment;

fn of(spec: &str) -> Vec<String> {
    of_experiment(&format!("  pod: {{spec: {{{spec}}}}}\n"))
}

/// Each of these parts of a spec has one fault: at this text, with these words.
#[track_caller]
fn told<const N: usize>(table: [(String, &str, &str); N]) {
    for (spec, place, wanted) in table {
        let text = experiment("a", &format!("  pod: {{spec: {{{spec}}}}}\n"));
        let found = findings("a.yaml", &text);
        let [one] = &found[..] else {
            panic!("{spec}: {:#?}", shown(&found));
        };
        let span = one.place.unwrap().span;
        assert_eq!(
            &text[span.start as usize..span.end as usize],
            place,
            "{spec}"
        );
        let help = one.help.as_deref().unwrap_or("-");
        let said = format!("{} {} | {help}", one.code, one.cause);
        assert!(said.starts_with(wanted), "{spec}: {said}");
    }
}

#[test]
fn what_places_no_pod_is_told_with_its_place() {
    let node = |rest: &str| {
        format!(
            "affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{{rest}}}}}}}"
        )
    };
    let chosen = |rest: &str| {
        node(&format!(
            "nodeSelectorTerms: [{{matchExpressions: [{{{rest}}}]}}]"
        ))
    };
    told([
        (
            "tolerations: [{operator: Equal}]".to_owned(),
            "Equal", "B0207 `spec.pod.spec.tolerations[0]` has no `key` | add the key of a taint",
        ),
        (
            "tolerations: [{key: a, operator: Exists, value: b}]".to_owned(),
            "b", "B0207 a toleration with `Exists` cannot have the value `b` | leave `value` out",
        ),
        (
            "tolerations: [{key: a, value: b c}]".to_owned(),
            "b c", "B0207 a toleration with `Equal` cannot have the value `b c` | it has letters",
        ),
        (
            "tolerations: [{key: a, operator: Lt, value: b}]".to_owned(),
            "b", "B0207 a toleration with `Lt` cannot have the value `b` | write a whole number",
        ),
        (
            "tolerations: [{key: a b, operator: Exists}]".to_owned(),
            "a b", "B0208 `a b` is no name for `spec.pod.spec.tolerations[0].key` | it has letters",
        ),
        (
            "tolerations: [{key: a, operator: Exists, tolerationSeconds: 3}]".to_owned(),
            "3", "B0207 `tolerationSeconds` is of the effect `NoExecute` alone | say",
        ),
        (
            node("nodeSelectorTerms: []"),
            "[]", "B0207 `spec.pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms` is empty",
        ),
        (chosen("key: a, operator: In"), "In", "B0207 the operator `In` needs `values` |"),
        (
            chosen("key: a, operator: Exists, values: [b]"),
            "[b]", "B0207 the operator `Exists` has no `values` |",
        ),
        (
            chosen("key: a, operator: Gt, values: ['1', '2']"),
            "['1', '2']", "B0207 the operator `Gt` needs one of `values` |",
        ),
        (chosen("operator: Exists"), "{operator: Exists}", "B0205 `spec.pod.spec.affinity"),
        (chosen("key: a, operator: In, values: [b c]"), "b c", "B0208 `b c` is no value of a label |"),
        (
            "affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: {topologyKey: k}}]}}".to_owned(),
            "101", "B0207 `spec.pod.spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight` is out of range: 1 to 100 |",
        ),
        (
            "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchLabels: {a: b c}}, topologyKey: k}]}}".to_owned(),
            "b c", "B0208 the label `a` has a value",
        ),
        (
            "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: ''}]}}".to_owned(),
            "''", "B0205 `spec.pod.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]` needs `topologyKey` | add",
        ),
        (
            "topologySpreadConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]".to_owned(),
            "0", "B0207 `spec.pod.spec.topologySpreadConstraints[0].maxSkew` is out of range: 1 or more |",
        ),
        (
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]".to_owned(),
            "2", "B0207 `minDomains` is of `whenUnsatisfiable: DoNotSchedule` alone |",
        ),
        (
            "topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]".to_owned(),
            "{topologyKey: zone, whenUnsatisfiable: DoNotSchedule}", "B0205 an item of `topologySpreadConstraints` has no `maxSkew` | add `maxSkew`",
        ),
    ]);
}

#[test]
fn what_no_server_takes_is_told_with_its_place() {
    let side = |rest: &str| format!("containers: [{{name: s, image: i, {rest}}}]");
    told([
        (
            "dnsPolicy: None".to_owned(),
            "None",
            "B0205 `dnsPolicy: None` needs `dnsConfig.nameservers` | add",
        ),
        (
            "dnsConfig: {nameservers: [one.example.com]}".to_owned(),
            "one.example.com",
            "B0207 `one.example.com` is no IP address | write an address",
        ),
        (
            "dnsConfig: {nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4]}".to_owned(),
            "[1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4]",
            "B0207 `spec.pod.spec.dnsConfig.nameservers` has more than 3 items |",
        ),
        (
            "hostAliases: [{ip: x}]".to_owned(),
            "x",
            "B0207 `x` is no IP address |",
        ),
        (
            "securityContext: {runAsUser: -1}".to_owned(),
            "-1",
            "B0207 `spec.pod.spec.securityContext.runAsUser` is out of range: 0 to 2147483647 |",
        ),
        (
            "securityContext: {supplementalGroups: [1, 9999999999]}".to_owned(),
            "9999999999",
            "B0207 `spec.pod.spec.securityContext.supplementalGroups[1]` is out of range: 0 to",
        ),
        (
            "runtimeClassName: G_visor".to_owned(),
            "G_visor",
            "B0208 `G_visor` is no name for `spec.pod.spec.runtimeClassName` |",
        ),
        (
            "readinessGates: [{conditionType: a b}]".to_owned(),
            "a b",
            "B0208 `a b` is no name for",
        ),
        (
            side("ports: [{containerPort: 70000}]"),
            "70000",
            "B0207 `spec.pod.spec.containers[0].ports[0].containerPort` is out of range: 1 to 65535 |",
        ),
        (
            side("ports: [{containerPort: 1, name: WEB}]"),
            "WEB",
            "B0208 `WEB` is no name for a port |",
        ),
        (
            side("ports: [{containerPort: 1, name: web}, {containerPort: 2, name: web}]"),
            "web",
            "B0103 two ports of a container are called `web` | give",
        ),
        (
            side("env: [{name: A=B, value: c}]"),
            "A=B",
            "B0208 `A=B` is no name for a variable |",
        ),
        (
            side("envFrom: [{prefix: A=, configMapRef: {name: c}}]"),
            "A=",
            "B0208 `A=` is no name for a variable |",
        ),
    ]);
}

/// What is said of a value holds where it stands; what is missing may come from another layer.
#[test]
fn layers_complete_each_other() {
    let pod = "pod: {spec: {dnsPolicy: None, topologySpreadConstraints: [{topologyKey: zone, \
               whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}}";
    let found = with_layer(pod, "");
    assert_eq!(
        shown(&found),
        [
            "B0205 3:18 `dnsPolicy: None` needs `dnsConfig.nameservers` | add the address of a name server, or leave `dnsPolicy` out"
        ]
    );
    assert_eq!(found[0].related[0].1, "in this layer of its pod");
    let rest = "  pod: {spec: {dnsConfig: {nameservers: [10.0.0.1]}, topologySpreadConstraints: \
                [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, minDomains: 2}]}}\n";
    assert_eq!(shown(&with_layer(pod, rest)), [] as [&str; 0]);
}

#[test]
fn what_only_takes_away_is_no_value() {
    for spec in [
        "tolerations: null",
        "containers: [{name: s, image: i, env: [{name: A=B, $patch: delete}]}]",
        "hostAliases: [{ip: x, $patch: delete}]",
        "securityContext: {runAsUser: null}",
    ] {
        assert_eq!(of(spec), [] as [&str; 0], "{spec}");
    }
}
