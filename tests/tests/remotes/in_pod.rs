//! The daemon in a pod: the API server over TLS, named by the variables and the service account that
//! Kubernetes gives. No other file and no flag names it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_tests::e2e::{Flags, On, Setting, Stage};
use berth_tests::remotes::{Authority, Front};

use crate::scene::each_file;

const FIRST: &str = "t0ken-of-the-f1rst-hour";
const SECOND: &str = "t0ken-of-the-s3cond-hour";

/// A stage whose API server asks for [`FIRST`], behind TLS.
struct Pod {
    stage: Stage,
    front: Front,
    account: PathBuf,
}

impl Pod {
    async fn new() -> Self {
        let stage = Stage::build(Setting {
            daemon: false,
            ..Setting::usual(On::Sandbox)
        })
        .await;
        stage.cluster.rotate(FIRST);
        let authority = Authority::new(stage.folder(), "cluster");
        let front = Front::before(stage.cluster.address(), authority.good()).await;
        let account = stage.folder().join("serviceaccount");
        std::fs::create_dir_all(&account).unwrap();
        std::fs::write(account.join("token"), FIRST).unwrap();
        std::fs::copy(authority.file(), account.join("ca.crt")).unwrap();
        Self {
            stage,
            front,
            account,
        }
    }

    fn flags(&self) -> Flags {
        let address = self.front.address();
        let variable = |name: &str, value: String| (name.to_owned(), value);
        Flags {
            pod: Some(vec![
                variable("KUBERNETES_SERVICE_HOST", address.ip().to_string()),
                variable("KUBERNETES_SERVICE_PORT", address.port().to_string()),
                variable("BERTH_SERVICE_ACCOUNT", self.account.display().to_string()),
                // What lies here is not asked.
                variable("HOME", self.stage.folder().display().to_string()),
                // What a pod of a company has, and what does not lead to the API server.
                variable("HTTPS_PROXY", "http://127.0.0.1:9".to_owned()),
            ]),
            ..self.stage.flags()
        }
    }

    fn start(&mut self) {
        let flags = self.flags();
        self.stage.start_with(&flags);
    }

    /// Writes a file as the kubelet does: another one is put in its place.
    fn replace(&self, name: &str, text: &str) {
        let new = self.account.join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.account.join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_rotated_token_is_read_again() {
    let mut pod = Pod::new().await;
    pod.start();
    let stage = &mut pod.stage;
    // The old token is read for up to a minute.
    stage.patience = Duration::from_mins(4);
    stage.add("before", 1, "20ms", &[]);
    stage.state("before", "Completed").await;
    pod.replace("token", SECOND);
    let stage = &mut pod.stage;
    stage.cluster.rotate(SECOND);
    stage.add("after", 1, "20ms", &[]);
    stage.state("after", "Completed").await;
    assert_eq!(stage.scene.of("after").len(), 1, "{}", stage.describe());
    stage.stop().await;
    stage.check();
    let log = stage.daemon.as_ref().unwrap().log().join("\n");
    assert!(!log.contains(FIRST) && !log.contains(SECOND), "{log}");
    each_file(&stage.repository.root().join(".git"), &mut |file: &Path| {
        let text = std::fs::read(file).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("t0ken-of"));
    });
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_told() {
    let mut pod = Pod::new().await;
    pod.replace("token", "wr0ng-t0ken");
    pod.start();
    pod.stage.ended().await;
    let daemon = pod.stage.daemon.as_ref().unwrap();
    assert!(
        daemon.says(&["does not accept our token"]),
        "{:?}",
        daemon.log()
    );
    assert!(!daemon.says(&["wr0ng-t0ken"]), "{:?}", daemon.log());

    let stranger = Authority::new(pod.stage.folder(), "stranger");
    std::fs::copy(stranger.file(), pod.account.join("ca.crt")).unwrap();
    pod.start();
    pod.stage.ended().await;
    let daemon = pod.stage.daemon.as_ref().unwrap();
    assert!(
        daemon.says(&["certificate", "not trusted"]),
        "{:?}",
        daemon.log()
    );

    std::fs::remove_file(pod.account.join("token")).unwrap();
    pod.start();
    let ended = pod.stage.ended().await;
    assert_eq!(ended.code(), Some(3));
    let daemon = pod.stage.daemon.as_ref().unwrap();
    assert!(
        daemon.says(&["the service account in", "`token`"]),
        "{:?}",
        daemon.log()
    );
    assert!(
        daemon.says(&["automountServiceAccountToken"]),
        "{:?}",
        daemon.log()
    );
}
