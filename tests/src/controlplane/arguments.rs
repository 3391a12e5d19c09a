//! The folder, the ports and so the arguments of one control plane.

use std::path::{Path, PathBuf};

use super::{Part, StartError, ports};

const NAME: &str = "berth-test";
/// Known to everybody on the machine: the server listens on loopback and holds nothing but tests.
const TOKEN: &str = "berth-test-administrator";
const STAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane/kwok/stages.yaml");

/// Where a control plane lives.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    etcd_clients: u16,
    etcd_peers: u16,
    pub(super) api: u16,
}

impl Place {
    /// Finds ports, and writes the files that the programs read.
    pub(super) fn new(folder: &Path) -> Result<Self, StartError> {
        let [etcd_clients, etcd_peers, api] = ports::free()?;
        let place = Self {
            folder: folder.to_owned(),
            etcd_clients,
            etcd_peers,
            api,
        };
        let users = format!("{TOKEN},{NAME},{NAME},\"system:masters\"\n");
        std::fs::write(place.path("tokens.csv"), users)?;
        std::fs::write(place.kubeconfig(), place.kubeconfig_text())?;
        Ok(place)
    }

    pub(super) fn ports(&self) -> [u16; 3] {
        [self.etcd_clients, self.etcd_peers, self.api]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub(super) fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_clients)
    }

    fn api(&self) -> String {
        format!("https://127.0.0.1:{}", self.api)
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.path("kubeconfig")
    }

    pub(super) fn kubeconfig_text(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {NAME}\n\
             clusters:\n- name: {NAME}\n  cluster: {{server: \"{}\", certificate-authority: \"{}\"}}\n\
             users:\n- name: {NAME}\n  user: {{token: {TOKEN}}}\n\
             contexts:\n- name: {NAME}\n  context: {{cluster: {NAME}, user: {NAME}, namespace: default}}\n",
            self.api(),
            self.text("certificates/apiserver.crt"),
        )
    }

    /// Whether kube-apiserver has written its certificate and, before it, its key.
    pub(super) fn has_certificate(&self) -> bool {
        let written = |name| std::fs::metadata(self.path(name)).is_ok_and(|file| file.len() > 0);
        written("certificates/apiserver.crt") && written("certificates/apiserver.key")
    }

    /// The arguments of a part.
    pub(super) fn arguments(&self, part: Part) -> Vec<String> {
        match part {
            Part::Etcd => self.of_etcd(),
            Part::ApiServer => self.of_api_server(),
            Part::ControllerManager => self.of_controller_manager(),
            Part::Scheduler => self.of_scheduler(),
            Part::Kwok => self.of_kwok(),
        }
    }

    fn of_etcd(&self) -> Vec<String> {
        let clients = self.etcd();
        let peers = format!("http://127.0.0.1:{}", self.etcd_peers);
        vec![
            format!("--name={NAME}"),
            format!("--data-dir={}", self.text("etcd")),
            "--unsafe-no-fsync".to_owned(),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster={NAME}={peers}"),
        ]
    }

    fn of_api_server(&self) -> Vec<String> {
        let key = self.text("certificates/apiserver.key");
        vec![
            format!("--etcd-servers={}", self.etcd()),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.api),
            format!("--cert-dir={}", self.text("certificates")),
            format!("--token-auth-file={}", self.text("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            format!("--service-account-issuer={}", self.api()),
            // One key does for all.
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
        ]
    }

    fn of_controller_manager(&self) -> Vec<String> {
        let mut arguments = self.of_client();
        arguments.extend([
            format!(
                "--service-account-private-key-file={}",
                self.text("certificates/apiserver.key")
            ),
            format!("--root-ca-file={}", self.text("certificates/apiserver.crt")),
            "--node-monitor-period=1s".to_owned(),
        ]);
        arguments
    }

    fn of_scheduler(&self) -> Vec<String> {
        self.of_client()
    }

    /// A part that listens on no port and is alone.
    fn of_client(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.text("kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--secure-port=0".to_owned(),
        ]
    }

    fn of_kwok(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.text("kubeconfig")),
            "--manage-all-nodes=true".to_owned(),
            format!("--config={STAGES}"),
            "--node-lease-duration-seconds=40".to_owned(),
            "--cidr=10.244.0.0/16".to_owned(),
            // All nodes are at one address: nothing is reached there.
            "--node-ip=10.0.1.1".to_owned(),
        ]
    }
}
