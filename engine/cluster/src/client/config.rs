//! From a kubeconfig or a service account to a configuration.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::Config;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo,
    NamedCluster, NamedContext,
};
use tokio::time::timeout;

use super::ConnectError;
use crate::wire::redact;

/// Which cluster, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The kubeconfig. Without one: `KUBECONFIG`; else, in a pod, its service account; else
    /// `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Where the service account of the pod is mounted: `token`, which is read again when it is
    /// rotated, and `ca.crt`.
    pub service_account: PathBuf,
    /// The context in it; `None` is the current one.
    pub context: Option<String>,
    /// Let the kubeconfig run programs for credentials (`exec`, `auth-provider`). Off unless asked
    /// for: a kubeconfig from somebody else runs what it likes (CVE-2022-24817).
    pub allow_exec: bool,
    /// For one call, from the first byte sent to the last byte of the answer.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            service_account: SERVICE_ACCOUNT.into(),
            context: None,
            allow_exec: false,
            timeout: Duration::from_secs(30),
        }
    }
}

/// Where Kubernetes mounts it.
pub const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// So the server's audit log and its metrics know us.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("berth/", env!("CARGO_PKG_VERSION")));

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A program for credentials may wait for a person at a browser, but not for ever.
const PROGRAM_TIMEOUT: Duration = Duration::from_mins(1);

pub(super) async fn load(options: &Options) -> Result<Config, ConnectError> {
    let mut config = if options.kubeconfig.is_none() && is_in_pod() {
        from_pod(options).await?
    } else {
        from_file(options).await?
    };
    if config.accept_invalid_certs {
        tracing::warn!(server = %config.cluster_url, "the kubeconfig turns the check of the server's certificate off");
    }
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(options.timeout);
    // A mutating call must not be repeated by a middleware: the reconciler decides what follows.
    config.default_retry = false;
    config.headers.push((USER_AGENT, AGENT));
    Ok(config)
}

fn is_in_pod() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    set("KUBERNETES_SERVICE_HOST") && !set("KUBECONFIG")
}

/// Of the service account and the variables of the pod; no proxy of the world outside is used.
async fn from_pod(options: &Options) -> Result<Config, ConnectError> {
    let unusable = |cause: String| ConnectError::NoServiceAccount {
        folder: display(&options.service_account),
        cause,
    };
    let file = |name: &str| {
        let path = options.service_account.join(name);
        std::fs::File::open(&path)
            .map_err(|error| unusable(format!("`{name}`: {error}")))
            .map(|_| display(&path))
    };
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let host = variable("KUBERNETES_SERVICE_HOST");
    // An IPv6 address is bare in the variable.
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let port: u16 = variable("KUBERNETES_SERVICE_PORT")
        .parse()
        .map_err(|_| unusable("KUBERNETES_SERVICE_PORT is no port".into()))?;
    let cluster = Cluster {
        server: Some(format!("https://{host}:{port}")),
        certificate_authority: Some(file("ca.crt")?),
        ..Cluster::default()
    };
    let user = AuthInfo {
        token_file: Some(file("token")?),
        ..AuthInfo::default()
    };
    let name = || "pod".to_owned();
    let kubeconfig = Kubeconfig {
        clusters: vec![NamedCluster {
            name: name(),
            cluster: Some(cluster),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: name(),
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: name(),
            context: Some(Context {
                cluster: name(),
                user: Some(name()),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        current_context: Some(name()),
        ..Kubeconfig::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| unusable(redact(&error.to_string())))?;
    config.proxy_url = None;
    Ok(config)
}

async fn from_file(options: &Options) -> Result<Config, ConnectError> {
    let path = options.kubeconfig.as_deref();
    let read = match path {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let files = files(path, std::env::var_os("KUBECONFIG"), std::env::home_dir());
    let kubeconfig = read.map_err(|error| bad(&unreadable(&files), &error))?;
    let shown = list(&files);
    let proxied = check(&kubeconfig, options)?;
    let chosen = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &chosen)
        .await
        .map_err(|error| bad(&shown, &error))?;
    // HTTPS_PROXY is for the world outside: no proxy reaches our own loopback.
    if !proxied && config.cluster_url.host().is_some_and(is_loopback) {
        config.proxy_url = None;
    }
    Ok(config)
}

/// The files that make the kubeconfig: the named one, those of `KUBECONFIG`, or that of the home
/// folder.
fn files(named: Option<&Path>, variable: Option<OsString>, home: Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(path) = named {
        return vec![path.to_owned()];
    }
    let several = variable.unwrap_or_default();
    let several: Vec<_> = std::env::split_paths(&several)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !several.is_empty() {
        return several;
    }
    home.into_iter()
        .map(|home| home.join(".kube/config"))
        .collect()
}

/// The first file that cannot be read; all of them if it is not one alone.
fn unreadable(files: &[PathBuf]) -> String {
    let broken = files
        .iter()
        .find(|path| Kubeconfig::read_from(path).is_err());
    broken.map_or_else(|| list(files), |path| display(path))
}

/// As `KUBECONFIG` takes them.
fn list(files: &[PathBuf]) -> String {
    match files {
        [] => "~/.kube/config".into(),
        files => files
            .iter()
            .map(|path| display(path))
            .collect::<Vec<_>>()
            .join(":"),
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses what is not allowed, before anything runs. Gives whether the cluster names its own
/// proxy.
fn check(kubeconfig: &Kubeconfig, options: &Options) -> Result<bool, ConnectError> {
    let wanted = options
        .context
        .as_ref()
        .or(kubeconfig.current_context.as_ref());
    let context = kubeconfig
        .contexts
        .iter()
        .find(|context| Some(&context.name) == wanted)
        .and_then(|context| context.context.as_ref())
        .ok_or_else(|| ConnectError::NoContext {
            context: wanted.cloned().unwrap_or_default(),
            known: kubeconfig.contexts.iter().map(|c| c.name.clone()).collect(),
        })?;
    let user = kubeconfig
        .auth_infos
        .iter()
        .find(|user| Some(&user.name) == context.user.as_ref());
    if let (Some(user), false) = (user, options.allow_exec) {
        runs_nothing(user)?;
    }
    let cluster = kubeconfig
        .clusters
        .iter()
        .find(|cluster| cluster.name == context.cluster)
        .and_then(|cluster| cluster.cluster.as_ref());
    Ok(cluster.is_some_and(|cluster| cluster.proxy_url.is_some()))
}

fn runs_nothing(user: &NamedAuthInfo) -> Result<(), ConnectError> {
    let Some(info) = &user.auth_info else {
        return Ok(());
    };
    if let Some(exec) = &info.exec {
        return Err(ConnectError::ExecPlugin {
            user: user.name.clone(),
            command: exec.command.clone().unwrap_or_default(),
        });
    }
    if let Some(provider) = &info.auth_provider {
        return Err(ConnectError::AuthProvider {
            user: user.name.clone(),
            provider: provider.name.clone(),
        });
    }
    Ok(())
}

/// The parser's own words can quote a value, so they are left out.
fn bad(path: &str, error: &KubeconfigError) -> ConnectError {
    let path = path.to_owned();
    let cause = match error {
        KubeconfigError::ReadConfig(error, _) => {
            let cause = error.to_string();
            return ConnectError::NoKubeconfig { path, cause };
        }
        KubeconfigError::FindPath => {
            let cause = "there is no home folder".into();
            return ConnectError::NoKubeconfig { path, cause };
        }
        KubeconfigError::Parse(_) => "it is not YAML of the form of a kubeconfig".into(),
        KubeconfigError::ParseCertificates(_) => "the certificate authority is not PEM".to_owned(),
        other => redact(&other.to_string()),
    };
    ConnectError::BadKubeconfig { path, cause }
}

/// Makes the client. An allowed credential program runs here and blocks, so this has a thread of
/// its own and a limit.
pub(super) async fn client(config: Config) -> Result<kube::Client, ConnectError> {
    let made = tokio::task::spawn_blocking(move || kube::Client::try_from(config));
    match timeout(PROGRAM_TIMEOUT, made).await {
        Ok(Ok(made)) => made.map_err(|error| unusable(&error)),
        Ok(Err(_)) => Err(gave_up("ended unexpectedly")),
        Err(_) => Err(gave_up("did not end within a minute")),
    }
}

fn gave_up(how: &str) -> ConnectError {
    let cause = format!("reading them {how}");
    ConnectError::Unusable { cause }
}

/// A configuration from which no client can be made.
fn unusable(error: &kube::Error) -> ConnectError {
    // A credential program's output can be a credential.
    let cause = match error {
        kube::Error::Auth(kube::client::AuthError::AuthExecRun { cmd, out }) => {
            format!("the program `{cmd}` failed ({})", out.status)
        }
        other => redact(&other.to_string()),
    };
    ConnectError::Unusable { cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_broken_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
        std::fs::write(&good, "{apiVersion: v1, kind: Config, users: []}").unwrap();
        std::fs::write(&bad, "clusters: 3").unwrap();
        let both = std::env::join_paths([&good, &bad]).unwrap();
        let home = || Some(PathBuf::from("/home/ada"));

        let read = files(None, Some(both.clone()), home());
        assert_eq!(read, [good.clone(), bad.clone()]);
        assert_eq!(unreadable(&read), display(&bad));
        assert_eq!(list(&read), both.to_str().unwrap());
        let named = files(Some(&good), Some(both), home());
        assert_eq!(
            (list(&named), unreadable(&named)),
            (display(&good), display(&good))
        );
        for unset in [None, Some(OsString::new())] {
            assert_eq!(list(&files(None, unset, home())), "/home/ada/.kube/config");
        }
        assert_eq!(list(&files(None, None, None)), "~/.kube/config");
    }
}
