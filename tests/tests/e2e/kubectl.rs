//! kubectl as a client of both servers: what people do by hand every day.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use berth_tests::e2e::{On, Setting, Stage, built};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_mins(1);
const POD: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: hello
  labels: {app: hello}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: a, image: registry.example.com/hello:1}
";
const SETTINGS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: one, b: one}
";

struct Kubectl {
    program: PathBuf,
    stage: Stage,
}

impl Kubectl {
    /// None if it is not built and need not be.
    async fn on(on: On) -> Option<Self> {
        let program = built("kubectl")?.kubectl();
        let stage = Stage::build(Setting {
            documents: false,
            daemon: false,
            ..Setting::usual(on)
        })
        .await;
        Some(Self { program, stage })
    }

    fn command(&self, arguments: &str) -> Command {
        let home = self.stage.folder();
        let mut command = Command::new(&self.program);
        command
            .arg("--kubeconfig")
            .arg(self.stage.cluster.admin_kubeconfig())
            .args(["--namespace", &self.stage.names().queue()])
            .args(arguments.split_whitespace())
            .env("HOME", home)
            .env_remove("KUBECONFIG")
            .env("KUBE_EDITOR", home.join("editor"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn output(&self, arguments: &str) -> Output {
        let output = tokio::time::timeout(PATIENCE, self.command(arguments).output());
        let output = output.await;
        let output = output.unwrap_or_else(|_| panic!("kubectl {arguments}: no end"));
        output.unwrap_or_else(|error| panic!("kubectl cannot be run: {error}"))
    }

    /// Must succeed, and say all of these words.
    async fn says(&self, arguments: &str, words: &[&str]) -> String {
        let output = self.output(arguments).await;
        let said = text(&output);
        assert!(output.status.success(), "kubectl {arguments}:\n{said}");
        for word in words {
            assert!(
                said.contains(word),
                "kubectl {arguments}: no {word:?} in:\n{said}"
            );
        }
        said
    }

    /// Must fail, and say all of these words.
    async fn refuses(&self, arguments: &str, words: &[&str]) {
        let output = self.output(arguments).await;
        let said = text(&output);
        assert!(!output.status.success(), "kubectl {arguments}:\n{said}");
        for word in words {
            assert!(
                said.contains(word),
                "kubectl {arguments}: no {word:?} in:\n{said}"
            );
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.stage.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

async fn tables_and_descriptions(on: On) {
    let Some(kubectl) = Kubectl::on(on).await else {
        return;
    };
    let pool = kubectl.stage.names().pool();
    let nodes = format!("get nodes --selector example.com/pool={pool}");
    let node = kubectl.stage.names().node(3);
    kubectl
        .says(&nodes, &["NAME", "STATUS", "VERSION", "Ready", &node])
        .await;
    let pod = kubectl.file("pod.yaml", POD);
    let apply = format!("apply --filename {}", pod.display());
    kubectl.says(&apply, &["pod/hello created"]).await;
    kubectl.says(&apply, &["pod/hello unchanged"]).await;
    kubectl
        .says(
            "wait --for=condition=Ready pod/hello --timeout=50s",
            &["condition met"],
        )
        .await;
    let table = kubectl
        .says("get pods", &["NAME", "READY", "STATUS", "RESTARTS", "AGE"])
        .await;
    let row = table.lines().nth(1).unwrap().split_whitespace();
    let row: Vec<&str> = row.take(4).collect();
    assert_eq!(row, ["hello", "1/1", "Running", "0"], "{table}");
    kubectl
        .says("get pods --output wide", &["NODE", "IP"])
        .await;
    kubectl
        .says("get pod hello --output name", &["pod/hello"])
        .await;
    let words = [
        "Name:",
        "hello",
        "Node:",
        "Image:",
        "registry.example.com/hello:1",
        "Running",
    ];
    kubectl.says("describe pod hello", &words).await;
    kubectl
        .says("describe namespace default", &["Name:", "Active"])
        .await;
    kubectl
        .says("describe pods --selector app=hello", &["app=hello"])
        .await;
    kubectl
        .refuses("get pod nobody", &["NotFound", "\"nobody\" not found"])
        .await;
    kubectl
        .says(
            "api-resources --namespaced=true",
            &["configmaps", "pods", "leases"],
        )
        .await;
    let waiting = kubectl
        .command("wait --for=delete pod/hello --timeout=50s")
        .output();
    let (waited, ()) = tokio::join!(waiting, async {
        kubectl
            .says("delete pod hello", &["pod \"hello\" deleted"])
            .await;
    });
    let waited = waited.unwrap();
    // Who begins to wait when it is gone already is told so, by some versions as an error.
    let said = text(&waited);
    let late = said.contains("not found") || said.contains("no matching resources");
    assert!(waited.status.success() || late, "{said}");
    kubectl.refuses("get pod hello", &["NotFound"]).await;
}

async fn changes_by_hand(on: On) {
    let Some(kubectl) = Kubectl::on(on).await else {
        return;
    };
    let settings = kubectl.file("settings.yaml", SETTINGS);
    let apply = format!("apply --server-side --filename {}", settings.display());
    kubectl
        .says(&apply, &["configmap/settings serverside-applied"])
        .await;
    let other = format!("{apply} --field-manager other");
    let changed = SETTINGS.replace("a: one", "a: two");
    kubectl.file("settings.yaml", &changed);
    kubectl.refuses(&other, &["conflict", ".data.a"]).await;
    kubectl
        .says(
            &format!("{other} --force-conflicts"),
            &["serverside-applied"],
        )
        .await;
    let value = |key: &str| format!("get configmap settings --output jsonpath={{.data.{key}}}");
    kubectl.says(&value("a"), &["two"]).await;
    let merge = r#"patch configmap settings --type=merge --patch {"data":{"a":"three"}}"#;
    kubectl.says(merge, &["configmap/settings patched"]).await;
    kubectl
        .says(merge, &["configmap/settings patched (no change)"])
        .await;
    let json = r#"patch configmap settings --type=json --patch [{"op":"replace","path":"/data/b","value":"four"}]"#;
    kubectl.says(json, &["patched"]).await;
    kubectl.says(&value("a"), &["three"]).await;
    kubectl.says(&value("b"), &["four"]).await;
    let strategic = r#"patch configmap settings --patch {"metadata":{"labels":{"kept":"yes"}}}"#;
    kubectl.says(strategic, &["patched"]).await;
    let editor = kubectl.file("editor", "#!/bin/sh\nexec sed -i 's/three/five/' \"$1\"\n");
    let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&editor, runs).unwrap();
    kubectl
        .says("edit configmap settings", &["configmap/settings edited"])
        .await;
    kubectl.says(&value("a"), &["five"]).await;
    kubectl
        .says("get configmaps --selector kept=yes", &["settings", "DATA"])
        .await;
    kubectl
        .says("label configmap settings kept-", &["settings"])
        .await;
    kubectl
        .says("delete configmap settings", &["deleted"])
        .await;
    kubectl
        .refuses("get configmap settings", &["NotFound"])
        .await;
    let typo = SETTINGS.replace("\ndata:", "\ndat:");
    let typo = kubectl.file("typo.yaml", &typo);
    let apply = format!("apply --filename {}", typo.display());
    kubectl.refuses(&apply, &["dat"]).await;
}

async fn fields_are_explained(on: On) {
    let Some(kubectl) = Kubectl::on(on).await else {
        return;
    };
    kubectl
        .says(
            "explain pods",
            &[
                "KIND:",
                "Pod",
                "VERSION:",
                "v1",
                "FIELDS:",
                "spec",
                "<PodSpec>",
            ],
        )
        .await;
    let containers = [
        "FIELD: containers <[]Container>",
        "image",
        "<string>",
        "-required-",
    ];
    kubectl
        .says("explain pod.spec.containers", &containers)
        .await;
    let policy = ["FIELD: restartPolicy <string>", "ENUM:", "OnFailure"];
    kubectl
        .says("explain pod.spec.restartPolicy", &policy)
        .await;
    let lease = [
        "GROUP:",
        "coordination.k8s.io",
        "FIELD: holderIdentity <string>",
    ];
    kubectl
        .says("explain lease.spec.holderIdentity", &lease)
        .await;
    kubectl
        .says(
            "explain node.status --recursive",
            &["allocatable", "<map[string]", "nodeInfo"],
        )
        .await;
    kubectl
        .refuses(
            "explain pod.spec.colour",
            &["field \"colour\" does not exist"],
        )
        .await;
}

async fn a_watch_tells_of_each_change(on: On) {
    let Some(kubectl) = Kubectl::on(on).await else {
        return;
    };
    let settings = kubectl.file("settings.yaml", SETTINGS);
    let apply = format!("apply --filename {}", settings.display());
    kubectl.says(&apply, &["created"]).await;
    let watch = "get configmap settings --watch --output jsonpath={.data.a}{\"\\n\"}";
    let mut child = kubectl
        .command(watch)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for expected in ["one", "two", "three"] {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("no line for {expected}"));
        assert_eq!(line.unwrap().as_deref(), Some(expected));
        let next = match expected {
            "one" => "two",
            _ => "three",
        };
        let patch = format!(r#"patch configmap settings --patch {{"data":{{"a":"{next}"}}}}"#);
        kubectl.says(&patch, &["patched"]).await;
    }
}

/// A pod on a node, with all that is the node's: kubectl sends it as protobuf.
async fn a_node_is_debugged(on: On) {
    let Some(kubectl) = Kubectl::on(on).await else {
        return;
    };
    let node = kubectl.stage.names().node(3);
    let debug = format!("debug node/{node} --image=registry.example.com/tools:1 -- look around");
    let words = ["Creating debugging pod node-debugger-", &node];
    kubectl.says(&debug, &words).await;
    for profile in ["sysadmin", "netadmin", "restricted"] {
        let more = format!(
            "debug node/{node} --image=registry.example.com/tools:1 --profile={profile} --stdin --attach=false"
        );
        kubectl.says(&more, &words).await;
    }
    let of = "--selector app.kubernetes.io/managed-by=kubectl-debug";
    kubectl
        .says(
            &format!("wait --for=condition=Ready pod {of} --timeout=50s"),
            &["condition met"],
        )
        .await;
    let spec = [
        "nodeName",
        "hostPID",
        "hostNetwork",
        "volumes[*].hostPath.path",
        "containers[*].volumeMounts[*].mountPath",
        "containers[*].command",
        "containers[*].stdin",
        "containers[*].securityContext",
        "tolerations[0].operator",
    ];
    let parts = spec.map(|part| format!("{{.spec.{part}}}"));
    let parts = parts.join(",");
    let look = format!("get pods {of} --output jsonpath={{range.items[*]}}{parts};{{end}}");
    let said = kubectl.says(&look, &[]).await;
    let mut said: Vec<&str> = said.trim_end_matches(';').split(';').collect();
    said.sort_unstable();
    let caught = r#"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}}"#;
    let nets = r#"{"capabilities":{"add":["NET_ADMIN","NET_RAW"]}}"#;
    let mut expected = [
        format!(r#"{node},true,true,/,/host,["look","around"],,,Exists"#),
        format!("{node},true,true,/,/host,,true,{{\"privileged\":true}},Exists"),
        format!("{node},true,true,,,,true,{nets},Exists"),
        format!("{node},,,,,,true,{caught},Exists"),
    ];
    expected.sort_unstable();
    assert_eq!(said, expected);
    kubectl
        .says(
            &format!("delete pods {of} --now"),
            &["pod \"node-debugger-", "deleted"],
        )
        .await;
}

on_both! {
    a_node_is_debugged,
    a_watch_tells_of_each_change,
    changes_by_hand,
    fields_are_explained,
    tables_and_descriptions,
}
