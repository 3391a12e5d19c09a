//! The daemon in a pod: the API server over TLS, named by the variables and the service account that
//! Kubernetes gives. No other file and no flag names it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_tests::e2e::{Flags, On, Setting, Stage};
use berth_tests::remotes::{Authority, Front};

use serde_json::Value;

use crate::scene::each_file;

/// A stage whose daemon runs as in a pod, with a token that was issued as `first`.
struct Pod {
    stage: Stage,
    /// The API server, for a pod.
    host: String,
    port: String,
    account: PathBuf,
    token: String,
    /// TLS before the sandbox, which has none of its own.
    _front: Option<Front>,
}

impl Pod {
    async fn new(on: On) -> Self {
        let mut stage = Stage::build(Setting {
            daemon: false,
            ..Setting::usual(on)
        })
        .await;
        let token = stage.cluster.issue("first");
        stage.cluster.only("first");
        let (front, address, authority) = if let Some(address) = stage.cluster.without_tls() {
            let authority = Authority::new(stage.folder(), "cluster");
            let front = Front::before(address, authority.good()).await;
            let address = front.address().to_string();
            (Some(front), address, authority.file().to_owned())
        } else {
            let (address, authority) = server(stage.cluster.kubeconfig());
            (None, address, authority)
        };
        let account = stage.folder().join("serviceaccount");
        std::fs::create_dir_all(&account).unwrap();
        std::fs::write(account.join("token"), &token).unwrap();
        std::fs::copy(authority, account.join("ca.crt")).unwrap();
        let (host, port) = address.rsplit_once(':').unwrap();
        Self {
            host: host.to_owned(),
            port: port.to_owned(),
            stage,
            account,
            token,
            _front: front,
        }
    }

    fn flags(&self) -> Flags {
        let variable = |name: &str, value: String| (name.to_owned(), value);
        Flags {
            pod: Some(vec![
                variable("KUBERNETES_SERVICE_HOST", self.host.clone()),
                variable("KUBERNETES_SERVICE_PORT", self.port.clone()),
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

/// Address and certificate authority of the server of a kubeconfig.
fn server(kubeconfig: &Path) -> (String, PathBuf) {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let config: Value = serde_saphyr::from_str(&text).unwrap();
    let cluster = &config["clusters"][0]["cluster"];
    let address = cluster["server"].as_str().unwrap();
    let address = address.strip_prefix("https://").unwrap().to_owned();
    let authority = cluster["certificate-authority"].as_str().unwrap();
    (address, authority.into())
}

async fn a_rotated_token_is_read_again(on: On) {
    let mut pod = Pod::new(on).await;
    pod.start();
    let stage = &mut pod.stage;
    // The old token is read for up to a minute.
    stage.patience = Duration::from_mins(4);
    stage.add("before", 1, "20ms", &[]);
    stage.state("before", "Completed").await;
    let second = pod.stage.cluster.issue("second");
    pod.replace("token", &second);
    let (stage, first) = (&mut pod.stage, &pod.token);
    stage.cluster.only("second");
    stage.add("after", 1, "20ms", &[]);
    stage.state("after", "Completed").await;
    assert_eq!(stage.scene.of("after").len(), 1, "{}", stage.describe());
    stage.stop().await;
    stage.check();
    let log = stage.daemon.as_ref().unwrap().log().join("\n");
    let tells = |text: &str| text.contains(first) || text.contains(&second);
    assert!(!tells(&log), "{log}");
    each_file(&stage.repository.root().join(".git"), &mut |file: &Path| {
        assert!(!tells(&String::from_utf8_lossy(
            &std::fs::read(file).unwrap()
        )));
    });
}

async fn what_is_missing_or_wrong_is_told(on: On) {
    let mut pod = Pod::new(on).await;
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

on_both! {
    a_rotated_token_is_read_again,
    what_is_missing_or_wrong_is_told,
}
