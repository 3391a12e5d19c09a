use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use berth_cluster::client::{Client, ConnectError, Options};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{kubeconfig, kubernetes, options, serve};

async fn fails(server: &str, user: &str) -> ConnectError {
    let (_folder, path) = kubeconfig(server, user);
    match Client::connect(&options(path)).await {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}

/// An address where nothing listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn it_connects_with_a_token_and_reads_the_version() {
    let version = |headers: HeaderMap| async move {
        let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let known = says("authorization") == Some("Bearer sesame-open")
            && says("user-agent").is_some_and(|agent| agent.starts_with("berth/"));
        let status = if known {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        };
        (status, "{\"gitVersion\": \"v1.36.3\"}")
    };
    let server = serve(Router::new().route("/version", get(version))).await;
    let (_folder, path) = kubeconfig(&server, "{token: sesame-open}");
    let client = Client::connect(&options(path)).await.unwrap();
    assert_eq!(client.version().await.unwrap(), "v1.36.3");

    let error = fails(&server, "{token: wrong-token}").await;
    assert_eq!(error.reason(), "Unauthorized");
    assert!(error.help().contains("renew the token"));
    assert!(!format!("{error} {error:?}").contains("wrong-token"));
}

#[tokio::test]
async fn nothing_there_and_no_kubernetes_there_are_told_apart() {
    let error = fails(&nowhere().await, "{}").await;
    assert_eq!(error.reason(), "Refused", "{error:?}");
    assert!(error.is_passing() && error.to_string().contains("refuses the connection"));

    let page = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "<html>") });
    let error = fails(&serve(page).await, "{}").await;
    assert_eq!(error.reason(), "NotKubernetes");
    let page = Router::new().fallback(|| async { "<html>" });
    assert_eq!(
        fails(&serve(page).await, "{}").await.reason(),
        "NotKubernetes"
    );

    let error = fails("http://no-such-host.invalid", "{}").await;
    assert_eq!(error.reason(), "Unreachable", "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let (_folder, path) = kubeconfig(&server, "{}");
    let options = Options {
        timeout: Duration::from_millis(300),
        ..options(path)
    };
    let began = Instant::now();
    let error = Client::connect(&options).await.err().unwrap();
    assert_eq!(error.reason(), "Broken", "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_untrusted_certificate_says_what_to_put_where() {
    // Made for this test: self-signed, for 127.0.0.1, of an authority that nobody trusts.
    let certificate = include_bytes!("untrusted-cert.der").to_vec().into();
    let key = PrivateKeyDer::Pkcs8(include_bytes!("untrusted-key.der").to_vec().into());
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    let error = fails(&server, "{}").await;
    assert_eq!(error.reason(), "Certificate", "{error:?}");
    assert!(error.help().contains("certificate-authority-data"));
}

#[tokio::test]
async fn a_program_for_credentials_does_not_run_unless_allowed() {
    let server = serve(kubernetes()).await;
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let script = format!(
        "touch {}; echo '{{\\\"apiVersion\\\": \\\"client.authentication.k8s.io/v1\\\", \
         \\\"kind\\\": \\\"ExecCredential\\\", \\\"status\\\": {{\\\"token\\\": \\\"t\\\"}}}}'",
        ran.display()
    );
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, \
         interactiveMode: Never, args: [\"-c\", \"{script}\"]}}}}"
    );
    let error = fails(&server, &user).await;
    assert_eq!(error.reason(), "ExecPlugin", "{error:?}");
    assert!(error.to_string().contains("`sh`") && error.help().contains("--allow-exec"));
    assert!(!ran.exists(), "it ran");

    let (_folder, path) = kubeconfig(&server, &user);
    let allowed = Options {
        allow_exec: true,
        ..options(path)
    };
    Client::connect(&allowed)
        .await
        .map_err(|error| format!("{error:?}"))
        .err()
        .inspect(|e| panic!("{e}"));
    assert!(ran.exists());

    let error = fails(
        &server,
        "{auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}}",
    )
    .await;
    assert_eq!(error.reason(), "AuthProvider");
}

#[tokio::test]
async fn a_broken_kubeconfig_is_told_without_its_values() {
    let missing = Client::connect(&options("/nonexistent/config".into())).await;
    assert_eq!(missing.err().unwrap().reason(), "NoKubeconfig");

    let error = fails("http://127.0.0.1:1", "{token: [s3cr3t-t0ken]}").await;
    assert_eq!(error.reason(), "BadKubeconfig");
    assert!(!format!("{error} {error:?}").contains("s3cr3t"));

    let (_folder, path) = kubeconfig("http://127.0.0.1:1", "{}");
    let other = Options {
        context: Some("there".into()),
        ..options(path)
    };
    let error = Client::connect(&other).await.err().unwrap();
    assert_eq!(error.to_string(), "the kubeconfig has no context `there`");
    assert_eq!(error.help(), "name one by --context; there are: here");
}
