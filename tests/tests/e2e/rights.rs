//! Every rule that the reference lists is needed: without it, words say which right is missing. That
//! they are enough, every scenario on a real control plane shows, as Berth has no others there.

use berth_cluster::rbac::{CLUSTER, OWN, QUEUE, Rule};
use berth_tests::e2e::documents::path;
use berth_tests::e2e::{Daemon, Of, On, Right, Scene, Setting, Stage};

/// Where the rules of a list are granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    Cluster,
    Queue,
    Own,
}

impl Where {
    /// The namespace, if it is one.
    pub fn namespace(self, stage: &Stage) -> Option<String> {
        match self {
            Self::Cluster => None,
            Self::Queue => Some(stage.names().queue()),
            Self::Own => Some(stage.names().own()),
        }
    }

    /// How the server names it when it refuses something about this resource.
    pub fn words(self, stage: &Stage, resource: &str) -> String {
        match self.namespace(stage) {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None if resource == "namespaces" => "in the namespace \"kube-system\"".to_owned(),
            None => "at the cluster scope".to_owned(),
        }
    }
}

/// Without the rule nobody is left in the dark: the log or the status names verb, resource and
/// namespace, as the server does.
async fn without(rule: Rule, place: Where) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(On::Real)
    })
    .await;
    let right = Right {
        verb: "*",
        group: rule.group,
        resource: rule.resource,
        within: Some(place.namespace(&stage)),
    };
    stage.cluster.deny(&right);
    stage.add("gang", 16, "10m", &[]);
    stage.start();
    let scope = place.words(&stage, rule.resource);
    let resource = format!(
        "resource \"{}\" in API group \"{}\"",
        rule.resource, rule.group
    );
    let names_it = |text: &str| {
        let text = text.replace("\\\"", "\"");
        let verb = |verb: &&str| text.contains(&format!("cannot {verb} {resource}"));
        rule.verbs.iter().any(verb) && text.contains(&scope)
    };
    let what = format!("someone says that {resource} {scope} is denied");
    stage
        .wait(&what, |stage| {
            let log = stage.daemon.as_ref().map(Daemon::log).unwrap_or_default();
            let status = stage.scene.status.message("gang");
            (names_it(status) || log.iter().any(|line| names_it(line))).then_some(())
        })
        .await;
    // Given back, it is taken up without a restart; only who could not start at all has ended.
    stage.cluster.allow_all();
    if stage
        .daemon
        .as_ref()
        .is_some_and(|daemon| daemon.ended().is_some())
    {
        stage.start();
    }
    stage
        .until("gang runs", |scene| scene.running("gang").len() == 2)
        .await;
    stage.check();
}

async fn without_any_of(rules: &[Rule], place: Where) {
    for rule in rules {
        println!("without {} of {:?}", rule.verbs.join(", "), rule.resource);
        without(*rule, place).await;
    }
}

async fn each_rule_of_the_cluster_is_missed() {
    without_any_of(CLUSTER, Where::Cluster).await;
}

async fn each_rule_of_a_queue_is_missed() {
    without_any_of(QUEUE, Where::Queue).await;
}

async fn each_rule_of_its_own_namespace_is_missed() {
    without_any_of(OWN, Where::Own).await;
}

/// The status of an experiment names the right that its queue's namespace lacks.
fn names_services(message: &str, namespace: &str) -> bool {
    let right = |verb: &str| format!("cannot {verb} resource \"services\" in API group \"\"");
    (message.contains(&right("list")) || message.contains(&right("watch")))
        && message.contains(&format!("in the namespace \"{namespace}\""))
}

async fn an_experiment_tells_the_right_that_it_waits_for(on: On) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let queue = stage.names().queue();
    stage.cluster.deny(&Right {
        verb: "*",
        group: "",
        resource: "services",
        within: Some(Some(queue.clone())),
    });
    stage.add("gang", 16, "10m", &[]);
    stage.start();
    stage
        .until("its status names the right", |scene| {
            scene.status.state("gang") == "Waiting"
                && names_services(scene.status.message("gang"), &queue)
        })
        .await;
    assert!(stage.scene.of("gang").is_empty(), "{}", stage.describe());
    stage.cluster.allow_all();
    stage
        .until("gang runs", |scene| scene.running("gang").len() == 2)
        .await;
    stage.check();
}

const AUDIO: &str = "queues/audio.yaml";

fn audio(namespace: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Queue\nmetadata: {{name: audio}}\n\
         spec: {{cluster: lab, namespace: {namespace}, quota: 8}}\n"
    )
}

/// A stage with that queue, too, in a namespace of its own; no daemon has begun.
async fn with_audio(on: On) -> (Stage, String) {
    let mut stage = Stage::build(Setting {
        daemon: false,
        ..Setting::usual(on)
    })
    .await;
    let namespace = stage.names().elsewhere();
    stage.cluster.grant(&namespace, Of::Queue);
    stage.repository.write(AUDIO, &audio(&namespace));
    (stage, namespace)
}

/// Adds an experiment to that queue.
fn add_to_audio(stage: &Stage, name: &str, run: &str) {
    stage.add(name, 8, run, &[]);
    stage.edit(name, "queue: vision", "queue: audio");
}

/// The other queue's namespace has all its rights.
async fn what_one_queue_lacks_stops_no_other_one(on: On) {
    let (mut stage, namespace) = with_audio(on).await;
    stage.cluster.deny(&Right {
        verb: "*",
        group: "",
        resource: "services",
        within: Some(Some(namespace.clone())),
    });
    add_to_audio(&stage, "deaf", "20ms");
    stage.add("fine", 16, "20ms", &[]);
    stage.start();
    stage.state("fine", "Completed").await;
    stage
        .until("the other one says what it waits for", |scene| {
            let status = &scene.status.unit("experiment audio.deaf")["status"];
            let message = status["message"].as_str().unwrap_or_default();
            status["state"] == "Waiting" && names_services(message, &namespace)
        })
        .await;
    assert!(stage.scene.of("deaf").is_empty(), "{}", stage.describe());
    stage.cluster.allow_all();
    stage
        .until("it completes", |scene| {
            scene.status.unit("experiment audio.deaf")["status"]["state"] == "Completed"
        })
        .await;
    stage.check();
}

/// A queue goes away, and in the end the right to see its namespace: nobody waits for what is certain
/// to be empty.
async fn a_namespace_that_was_left_needs_no_right(on: On) {
    let (mut stage, namespace) = with_audio(on).await;
    add_to_audio(&stage, "deaf", "10m");
    stage.start();
    stage
        .until("it runs", |scene| {
            scene.status.unit("experiment audio.deaf")["status"]["state"] == "Running"
        })
        .await;
    let named = |scene: &Scene| scene.status.files["applied.yaml"].contains(&namespace);
    assert!(named(&stage.scene), "{}", stage.describe());
    stage.repository.remove(AUDIO);
    stage.repository.remove(&path("deaf"));
    stage
        .repository
        .commit("Remove the queue and what is in it");
    stage
        .until("the namespace is left", |scene| !named(scene))
        .await;
    assert!(stage.scene.alive("deaf").is_empty(), "{}", stage.describe());
    stage.kill().await;
    stage.cluster.deny(&Right {
        verb: "*",
        group: "",
        resource: "pods",
        within: Some(Some(namespace.clone())),
    });
    stage.start();
    stage.add("fine", 16, "20ms", &[]);
    stage.state("fine", "Completed").await;
    // The queue comes back there.
    stage.cluster.allow_all();
    stage.repository.write(AUDIO, &audio(&namespace));
    add_to_audio(&stage, "late", "20ms");
    stage
        .until("it completes", |scene| {
            scene.status.unit("experiment audio.late")["status"]["state"] == "Completed"
        })
        .await;
    stage.check();
}

on_both! {
    a_namespace_that_was_left_needs_no_right,
    an_experiment_tells_the_right_that_it_waits_for,
    what_one_queue_lacks_stops_no_other_one,
}

on_kube_apiserver! {
    each_rule_of_the_cluster_is_missed,
    each_rule_of_a_queue_is_missed,
    each_rule_of_its_own_namespace_is_missed,
}
