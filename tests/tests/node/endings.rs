//! Programs that cannot do their work.

use berth_tests::node::IMAGE;

use crate::documents::runs;
use crate::play::Play;

pub async fn an_oom_is_named(play: &mut Play) {
    let little = "{containers: [{name: task, resources: {limits: {memory: 32Mi}}}]}";
    let text = runs("hungry", IMAGE, "exec tail /dev/zero", little);
    play.commit("hungry", &text);
    play.stage.state("hungry", "Failed").await;
    let message = play.stage.scene.status.message("hungry").to_owned();
    assert!(
        message.contains("rank 0 exited with 137 (OOMKilled)"),
        "{message}"
    );
    assert_eq!(play.stage.scene.status.attempts("hungry"), [(1, "failed")]);
    play.stage.check();
}

pub async fn an_image_that_is_not_there_is_named(play: &mut Play) {
    play.commit(
        "blind",
        &runs("blind", "docker.io/local/absent:1", "true", "{}"),
    );
    play.stage
        .until("the missing image is named", |scene| {
            scene.status.message("blind").contains("ErrImageNeverPull")
        })
        .await;
    let message = play.stage.scene.status.message("blind").to_owned();
    assert!(message.contains("docker.io/local/absent:1"), "{message}");
    play.stage.edit("blind", "state: active", "state: canceled");
    play.stage.state("blind", "Canceled").await;
    play.stage.check();
}

/// The pod ends with its task; how the container beside it ends does not matter.
pub async fn a_container_beside_the_task_keeps_no_pod_alive(play: &mut Play) {
    let beside = format!(
        "{{containers: [{{name: beside, image: \"{IMAGE}\", imagePullPolicy: Never, \
         command: [sleep, infinity]}}], terminationGracePeriodSeconds: 1}}"
    );
    play.commit("pair", &runs("pair", IMAGE, "true", &beside));
    play.stage.state("pair", "Completed").await;
    assert_eq!(play.stage.scene.status.attempts("pair"), [(1, "completed")]);
    let pod = play.stage.scene.of("pair")[0].object.clone();
    let sidecar = &pod["status"]["initContainerStatuses"][0]["state"]["terminated"];
    assert_eq!(sidecar["exitCode"], 137, "{pod}");
    play.stage.check();
}
