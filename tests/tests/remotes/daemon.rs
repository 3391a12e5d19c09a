//! The daemon from end to end with a remote: commits become pods become status commits, whatever
//! becomes of Git in between.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_tests::e2e::{BRANCH, Flags, On, Pod, Setting, Stage};
use berth_tests::remotes::{Forge, Transport, Weather};

use serde_json::Value;

use crate::scene::{each_file, no_secret};

/// A stage whose daemon reads and writes the repository through a forge.
struct Harbour {
    stage: Stage,
    forge: Forge,
    transport: Transport,
}

impl Harbour {
    /// Nothing is started yet.
    async fn new(on: On, transport: Transport) -> Self {
        let stage = Stage::build(Setting {
            daemon: false,
            ..Setting::usual(on)
        })
        .await;
        stage.repository.replace(
            "clusters/lab.yaml",
            "  podDefaults: default\n",
            "  podDefaults: default\n  status: {interval: 1s}\n",
        );
        stage.repository.commit("Report every second");
        let forge = Forge::of(stage.repository.root(), stage.folder());
        Self {
            stage,
            forge,
            transport,
        }
    }

    async fn started(on: On, transport: Transport) -> Self {
        let mut harbour = Self::new(on, transport).await;
        harbour.start();
        harbour
    }

    fn start(&mut self) {
        self.stage.patience = Duration::from_mins(4);
        let flags = self.flags();
        self.stage.start_with(&flags);
    }

    fn flags(&self) -> Flags {
        let mirrors = self.stage.folder().join("mirrors").display().to_string();
        let more = [
            "--poll-seconds",
            "1",
            "--git-timeout",
            "5",
            "--mirrors",
            &mirrors,
        ];
        let mut more: Vec<_> = more.map(str::to_owned).into();
        more.extend(self.forge.flags(self.transport));
        Flags {
            repository: self.forge.url(self.transport),
            more,
            ..self.stage.flags()
        }
    }

    fn weather(&self, weather: Weather) {
        let proxy = self.forge.proxy(self.transport);
        proxy.set(weather);
        if weather != Weather::Fair {
            proxy.cut_all();
        }
    }

    /// No secret is in the log, on any branch, in the cluster or in the mirror.
    fn check(&mut self) {
        self.stage.check();
        let log = self.stage.daemon.as_ref().unwrap().log();
        no_secret(&log.join("\n"));
        no_secret(&self.stage.repository.git(&["log", "--all", "-p"]));
        for namespace in self.stage.names().namespaces() {
            for resource in ["configmaps", "pods"] {
                for object in self.stage.cluster.objects(resource, &namespace) {
                    no_secret(&object.to_string());
                }
            }
        }
        each_file(&self.stage.folder().join("mirrors"), &mut |file| {
            no_secret(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
        });
    }
}

/// What is kept in the cluster while Git takes nothing.
fn spill(stage: &Stage) -> Option<Arc<Value>> {
    let own = stage.names().own();
    stage.cluster.object("configmaps", &own, "berth-lab.spill")
}

/// Commits become pods become commits. Git is away while one pod fails, another one ends and is
/// taken away, and a user commits; then it is back.
async fn story(on: On, transport: Transport, away: Weather) {
    let mut harbour = Harbour::started(on, transport).await;
    let stage = &mut harbour.stage;
    stage.add("before", 1, "20ms", &[]);
    stage.state("before", "Completed").await;
    stage.add("ends", 1, "15s", &[]);
    stage.add("fails", 1, "15s", &[("exit", "attempt=1:1;0")]);
    stage.state("ends", "Running").await;
    stage.state("fails", "Running").await;
    harbour.weather(away);
    let stage = &mut harbour.stage;
    let tip = stage.repository.tip(BRANCH);
    stage.add("during", 1, "20ms", &[]);
    stage
        .until("a pod ended without Git", |scene| {
            scene.of("ends")[0].phase == "Succeeded"
        })
        .await;
    let pod = stage.scene.of("ends")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    stage
        .wait("outcomes are kept in the cluster, the pod goes", |stage| {
            (stage.scene.of("ends")[0].gone && spill(stage).is_some()).then_some(())
        })
        .await;
    stage
        .until("the second attempt ends without Git", |scene| {
            let attempt = scene.attempt("fails", 2);
            attempt.len() == 1 && attempt[0].phase == "Succeeded"
        })
        .await;
    assert_eq!(stage.repository.tip(BRANCH), tip, "Git was not away");
    assert!(stage.scene.of("during").is_empty(), "Git was not away");
    harbour.weather(Weather::Fair);
    let stage = &mut harbour.stage;
    for name in ["ends", "fails", "during"] {
        stage.state(name, "Completed").await;
    }
    stage
        .wait("the cluster keeps nothing any more", |stage| {
            spill(stage).is_none().then_some(())
        })
        .await;
    let status = &stage.scene.status;
    assert_eq!(status.attempts("ends"), [(1, "completed")]);
    assert_eq!(status.attempts("fails"), [(1, "failed"), (2, "completed")]);
    assert_eq!(stage.scene.of("ends").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("fails").len(), 2, "{}", stage.describe());
    assert_eq!(stage.scene.of("during").len(), 1, "{}", stage.describe());
    stage.stop().await;
    harbour.check();
}

/// A hook of the forge that takes no status.
const HOOK: &str = "\
#!/bin/sh
while read -r _ _ name; do
  case $name in
    refs/heads/berth/status/*) echo 'status branches need a review' >&2; exit 1 ;;
  esac
done
";

/// Commits are read while the status is refused: what runs ends, its pods stay until their outcomes
/// are kept in the cluster, and once the hook lets the status through nothing of it is lost.
async fn refused(on: On, transport: Transport) {
    let mut harbour = Harbour::started(on, transport).await;
    let stage = &mut harbour.stage;
    stage.add("ends", 1, "15s", &[]);
    stage.add("turned", 1, "10m", &[]);
    stage.state("ends", "Running").await;
    stage.state("turned", "Running").await;
    let hook = stage.repository.root().join(".git/hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, HOOK).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let tip = stage.repository.tip(BRANCH);
    stage.add("during", 1, "20ms", &[("exit", "attempt=1:1;0")]);
    stage.edit("turned", "learningRate: 0.1", "learningRate: 0.2");
    stage
        .said(&[
            "not pushed",
            "PushRefused",
            "status branches need a review",
            "berth/status/*",
        ])
        .await;
    stage
        .until("both have ended", |scene| {
            let second = scene.attempt("during", 2);
            let ended = |pod: &&Pod| pod.phase == "Succeeded";
            second.iter().any(ended) && scene.of("ends").iter().any(ended)
        })
        .await;
    // Whoever takes a pod away now does not take its outcome away.
    let pod = stage.scene.of("ends")[0].name.clone();
    stage.cluster.delete(&stage.pod_path(&pod));
    let turned = |spill: &Value| spill["data"].to_string().contains("vision.turned");
    let kept = |stage: &Stage| {
        let runs_anew =
            stage.scene.running("turned").len() == 1 && stage.scene.runs("turned").len() == 2;
        stage.scene.of("ends")[0].gone
            && runs_anew
            && spill(stage).is_some_and(|spill| turned(&spill))
    };
    stage
        .wait("the outcomes are kept in the cluster", |stage| {
            // What is seen of the cluster is no older than what was seen of the pods.
            let goes = stage.scene.pods.iter().any(|pod| pod.gone);
            assert!(
                !goes || spill(stage).is_some(),
                "too early\n{}",
                stage.describe()
            );
            kept(stage).then_some(())
        })
        .await;
    assert_eq!(stage.repository.tip(BRANCH), tip, "a status was pushed");
    // Whoever comes next finds it there: that a run was replaced, by a form that is not valid any more.
    stage.edit("turned", "  resources", "  resuorces");
    stage.said(&["Change turned:   resuorces"]).await;
    stage.kill().await;
    for (command, words) in [
        ("plan", "0 to create, 0 to change, 0 to delete"),
        ("drift", "no drift"),
    ] {
        let said = beside(stage, command).await;
        assert!(said.contains(words), "{said}");
        assert!(!said.contains(" waits: "), "{said}");
    }
    harbour.start();
    let stage = &mut harbour.stage;
    stage.said(&["not pushed", "PushRefused"]).await;
    stage.edit("turned", "  resuorces", "  resources");
    std::fs::remove_file(&hook).unwrap();
    for name in ["ends", "during"] {
        stage.state(name, "Completed").await;
    }
    stage
        .wait("the cluster keeps nothing any more", |stage| {
            let held = |pod: &Pod| pod.object["metadata"]["finalizers"].is_array();
            let free = !stage
                .scene
                .pods
                .iter()
                .any(|pod| !pod.gone && pod.phase != "Running" && held(pod));
            (free && spill(stage).is_none()).then_some(())
        })
        .await;
    let status = &stage.scene.status;
    assert_eq!(status.attempts("ends"), [(1, "completed")]);
    assert_eq!(status.attempts("during"), [(1, "failed"), (2, "completed")]);
    assert_eq!(stage.scene.of("ends").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("during").len(), 2, "{}", stage.describe());
    stage.state("turned", "Running").await;
    assert_eq!(stage.scene.of("turned").len(), 2, "{}", stage.describe());
    stage.stop().await;
    harbour.check();
}

/// What a command that looks at repository and cluster says.
async fn beside(stage: &Stage, command: &str) -> String {
    let mut looks = berth_tests::e2e::command();
    let root = stage.repository.root();
    looks.args([command, "--ref", "main", "--cluster", "lab"]);
    looks.arg("--repo").arg(root).arg("--kubeconfig");
    looks.arg(stage.flags().kubeconfig);
    let output = tokio::process::Command::from(looks).output().await;
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    text(output.stdout) + &text(output.stderr)
}

/// Side by side, as each waits a minute for Git.
async fn nothing_is_lost_while_a_hook_refuses_the_status(on: On) {
    tokio::join!(refused(on, Transport::Ssh), refused(on, Transport::Https),);
}

/// Over ssh Git hangs, over https it breaks; side by side, as each waits a minute for Git.
async fn nothing_is_lost_while_git_is_away(on: On) {
    tokio::join!(
        story(on, Transport::Ssh, Weather::HangAfter(0)),
        story(on, Transport::Https, Weather::ResetAfter(0)),
    );
}

/// What the daemon that was started last answers to a GET.
async fn get(stage: &Stage, path: &str) -> String {
    let log = stage.daemon.as_ref().unwrap().log();
    let mut lines = log
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    let address = lines.find_map(|line: Value| Some(line["address"].as_str()?.to_owned()));
    let path = path.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address.unwrap()).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    asked.await.unwrap()
}

/// A remote that cannot be reached is waited for, with and without a mirror of before; what waits says
/// so, and ends when it is asked to.
async fn a_daemon_that_is_not_told_its_cluster_waits_for_the_remote(on: On) {
    let mut harbour = Harbour::new(on, Transport::Https).await;
    let mut flags = harbour.flags();
    flags.cluster.clear();
    let listen = ["--http-listen", "127.0.0.1:0"];
    flags.more.extend(listen.map(str::to_owned));
    for number in 1..=2 {
        harbour.weather(Weather::ResetAfter(0));
        harbour.stage.start_with(&flags);
        let stage = &mut harbour.stage;
        let words = [
            "the repository cannot be read",
            "RemoteUnreachable",
            "the name of the cluster",
        ];
        stage.said(&words).await;
        let live = get(stage, "/livez").await;
        assert!(live.starts_with("HTTP/1.1 200"), "{live}");
        let ready = get(stage, "/readyz").await;
        let waits = "waits for the name of the cluster, as --cluster is not given (Remote";
        assert!(
            ready.starts_with("HTTP/1.1 503") && ready.contains(waits),
            "{ready}"
        );
        harbour.weather(Weather::Fair);
        let (stage, name) = (&mut harbour.stage, format!("run-{number}"));
        stage.said(&["\"ready\""]).await;
        stage.add(&name, 1, "20ms", &[]);
        stage.state(&name, "Completed").await;
        stage.stop().await;
    }
    harbour.weather(Weather::HangAfter(0));
    harbour.stage.start_with(&flags);
    harbour.stage.said(&["serves /metrics"]).await;
    harbour.stage.stop().await;
    harbour.weather(Weather::Fair);
    harbour.check();
}

async fn sigterm_ends_a_daemon_whose_git_hangs(on: On) {
    for transport in Transport::ALL {
        let mut harbour = Harbour::started(on, transport).await;
        harbour.stage.add("bert", 1, "10m", &[]);
        harbour.stage.state("bert", "Running").await;
        harbour.weather(Weather::HangAfter(0));
        // It polls, and it has something to push.
        harbour.stage.add("unseen", 1, "20ms", &[]);
        let pod = harbour.stage.scene.running("bert")[0].name.clone();
        let pod = harbour.stage.pod_path(&pod);
        let before = harbour.forge.proxy(transport).accepted();
        harbour.stage.cluster.delete(&pod);
        harbour.forge.proxy(transport).wait_accepted(before + 2);
        let began = Instant::now();
        harbour.stage.stop().await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(15), "{transport}: {took:?}");
        harbour.check();
    }
}

/// Where the daemon serves HTTP, as its log says.
fn address(stage: &Stage) -> String {
    let log = stage.daemon.as_ref().unwrap().log();
    let line = log.iter().find(|line| line.contains("serves /metrics"));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

/// What the daemon answers over HTTP.
fn ask(address: &str, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn a_wrong_token_is_mended_without_a_restart(on: On) {
    let mut harbour = Harbour::new(on, Transport::Https).await;
    let token = std::fs::read(harbour.forge.token_file()).unwrap();
    std::fs::write(harbour.forge.token_file(), "wr0ng-t0ken-4712").unwrap();
    let mut flags = harbour.flags();
    let anywhere = ["--http-listen", "127.0.0.1:0"].map(str::to_owned);
    flags.more.extend(anywhere);
    harbour.stage.start_with(&flags);
    harbour.stage.said(&["RemoteAuth", "token file"]).await;
    let ready = ask(&address(&harbour.stage), "/readyz");
    assert!(ready.contains("the first snapshot (RemoteAuth)"), "{ready}");
    std::fs::write(harbour.forge.token_file(), token).unwrap();
    harbour.stage.add("hello", 1, "20ms", &[]);
    harbour.stage.state("hello", "Completed").await;
    assert!(!harbour.stage.daemon.as_ref().unwrap().says(&["wr0ng"]));
    harbour.stage.stop().await;
    harbour.check();
}

async fn another_writer_is_noticed_and_read(on: On) {
    let mut harbour = Harbour::started(on, Transport::Ssh).await;
    let stage = &mut harbour.stage;
    stage.add("first", 1, "20ms", &[]);
    stage.state("first", "Completed").await;
    let tree = format!("{BRANCH}^{{tree}}");
    let others = stage
        .repository
        .git(&["commit-tree", "-p", BRANCH, "-m", "other", &tree]);
    let branch = format!("refs/heads/{BRANCH}");
    stage
        .repository
        .git(&["update-ref", &branch, others.trim()]);
    stage.add("second", 1, "20ms", &[]);
    stage.said(&["PushRejected"]).await;
    stage.state("second", "Completed").await;
    let log = stage.repository.log(BRANCH);
    assert!(log.iter().any(|(id, _)| id == others.trim()), "{log:?}");
    assert_eq!(stage.scene.of("first").len(), 1, "{}", stage.describe());
    assert_eq!(stage.scene.of("second").len(), 1, "{}", stage.describe());
    stage.stop().await;
    harbour.check();
}

on_both! {
    a_daemon_that_is_not_told_its_cluster_waits_for_the_remote,
    nothing_is_lost_while_a_hook_refuses_the_status,
    nothing_is_lost_while_git_is_away,
    sigterm_ends_a_daemon_whose_git_hangs,
    a_wrong_token_is_mended_without_a_restart,
    another_writer_is_noticed_and_read,
}
