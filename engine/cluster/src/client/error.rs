//! Why there is no connection, and what to do about it.

use std::time::Duration;

/// Why a client could not be made or could not reach its server. No variant carries text of the
/// kubeconfig other than names, as its values may be credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read.
    #[error("cannot read the kubeconfig {path}: {cause}")]
    NoKubeconfig {
        /// Its path.
        path: String,
        /// The system's words.
        cause: String,
    },
    /// It is no kubeconfig.
    #[error("the kubeconfig {path} is not valid: {cause}")]
    BadKubeconfig {
        /// Its path, or those that it is made of, as `KUBECONFIG` takes them.
        path: String,
        /// What is wrong, without the values in it.
        cause: String,
    },
    /// The pod's service account cannot be used.
    #[error("the service account in {folder} cannot be used: {cause}")]
    NoServiceAccount {
        /// Where it should be mounted.
        folder: String,
        /// What is missing.
        cause: String,
    },
    /// The context does not exist, or none is named.
    #[error("the kubeconfig has no context `{context}`")]
    NoContext {
        /// The wanted one; empty if none is current.
        context: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// The user runs a program for its credentials.
    #[error("the user `{user}` of the kubeconfig runs the program `{command}` for its credentials")]
    ExecPlugin {
        /// The user.
        user: String,
        /// The program.
        command: String,
    },
    /// The user has an `auth-provider`, which can run programs, too.
    #[error("the user `{user}` of the kubeconfig uses the auth provider `{provider}`")]
    AuthProvider {
        /// The user.
        user: String,
        /// The provider.
        provider: String,
    },
    /// The credentials or certificates of the kubeconfig or the pod cannot be used.
    #[error("the cluster's credentials cannot be used: {cause}")]
    Unusable {
        /// Why.
        cause: String,
    },
    /// Nothing listens there.
    #[error("{server} refuses the connection")]
    Refused {
        /// The server.
        server: String,
    },
    /// The server cannot be reached: no route, no such name, no answer.
    #[error("cannot reach {server}: {cause}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        cause: String,
    },
    /// The server's certificate is not trusted.
    #[error("the certificate of {server} is not trusted: {cause}")]
    Certificate {
        /// The server.
        server: String,
        /// Why.
        cause: String,
    },
    /// The connection broke, or the answer took too long.
    #[error("{server} gave no whole answer: {cause}")]
    Broken {
        /// The server.
        server: String,
        /// Why.
        cause: String,
    },
    /// The server wants to be asked later.
    #[error("{server} is busy: {said}")]
    Busy {
        /// The server.
        server: String,
        /// Its words.
        said: String,
        /// How much later.
        wait: Duration,
    },
    /// The token or client certificate is not accepted.
    #[error("{server} does not accept our token or certificate")]
    Unauthorized {
        /// The server.
        server: String,
    },
    /// The account lacks a right.
    #[error("{server} forbids it: {said}")]
    Forbidden {
        /// The server.
        server: String,
        /// Its words.
        said: String,
    },
    /// Something answers, but no Kubernetes API.
    #[error("{server} answers {status} and is no Kubernetes API")]
    NotKubernetes {
        /// The server.
        server: String,
        /// The HTTP status.
        status: u16,
    },
}

impl ConnectError {
    /// A stable word for metrics and status.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoKubeconfig { .. } => "NoKubeconfig",
            Self::BadKubeconfig { .. } => "BadKubeconfig",
            Self::NoServiceAccount { .. } => "NoServiceAccount",
            Self::NoContext { .. } => "NoContext",
            Self::ExecPlugin { .. } => "ExecPlugin",
            Self::AuthProvider { .. } => "AuthProvider",
            Self::Unusable { .. } => "Unusable",
            Self::Refused { .. } => "Refused",
            Self::Unreachable { .. } => "Unreachable",
            Self::Certificate { .. } => "Certificate",
            Self::Broken { .. } => "Broken",
            Self::Busy { .. } => "Busy",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotKubernetes { .. } => "NotKubernetes",
        }
    }

    /// Whether trying again can help without anybody doing anything.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Unreachable { .. }
                | Self::Broken { .. }
                | Self::Busy { .. }
        )
    }

    /// How long the server wants us to wait, if it says so.
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { wait, .. } => Some(*wait),
            _ => None,
        }
    }

    /// The next thing to do.
    pub fn help(&self) -> String {
        match self {
            Self::NoKubeconfig { .. } => {
                "name an existing file by --kubeconfig or KUBECONFIG".into()
            }
            Self::BadKubeconfig { path, .. } => {
                format!("`KUBECONFIG={path} kubectl config view` reads it too and says where")
            }
            Self::NoServiceAccount { .. } => {
                "mount it (automountServiceAccountToken: true), or name a kubeconfig by \
                 --kubeconfig"
                    .into()
            }
            Self::NoContext { known, .. } if known.is_empty() => "it has no contexts at all".into(),
            Self::NoContext { known, .. } => {
                format!("name one by --context; there are: {}", known.join(", "))
            }
            Self::ExecPlugin { .. } | Self::AuthProvider { .. } => {
                "a kubeconfig from somebody else could run anything here; if you trust this one, \
                 allow it by --allow-exec, else use a token or a client certificate"
                    .into()
            }
            Self::Unusable { .. } => {
                "check the certificate, key, token and proxy that the kubeconfig names".into()
            }
            Self::Refused { .. } => "is the API server running, and is this its port?".into(),
            Self::Unreachable { .. } => {
                "check the address in the kubeconfig, the name service and the network".into()
            }
            Self::Certificate { .. } => {
                "put the certificate authority of this server into the kubeconfig \
                 (certificate-authority-data); if the address is an alias, set tls-server-name"
                    .into()
            }
            Self::Broken { .. } | Self::Busy { .. } => {
                "Berth tries again; see the API server's own log".into()
            }
            Self::Unauthorized { .. } => {
                "renew the token or certificate in the kubeconfig; `kubectl auth whoami` tells \
                 whether it is accepted"
                    .into()
            }
            Self::Forbidden { .. } => {
                "grant what docs/reference/rbac.md lists to Berth's account".into()
            }
            Self::NotKubernetes { .. } => {
                "check the address in the kubeconfig: a proxy or another server answers there"
                    .into()
            }
        }
    }
}
