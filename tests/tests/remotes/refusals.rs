//! Who is not let in, and whom Berth does not trust: each told in its own words.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use berth_git::{Auth, Source};
use berth_tests::remotes::{Answer, Authority, Https, TOKEN, Transport};

use crate::scene::{Scene, no_secret, told};

/// A source over https that trusts this file's authority.
fn trusting(scene: &Scene, file: &Path) -> Source {
    Source::new(&scene.forge.url(Transport::Https), "main")
        .unwrap()
        .with_auth(scene.forge.auth(Transport::Https))
        .with_ca_file(file.to_owned())
}

fn with_key(scene: &Scene, key: &Path) -> Source {
    let (_, known_hosts) = scene.forge.key_and_hosts();
    let key = key.to_owned();
    scene.with_auth(Transport::Ssh, Auth::SshKey { key, known_hosts })
}

#[test]
fn a_key_that_is_not_let_in() {
    let scene = Scene::new();
    let error = scene.fetch_fails(with_key(&scene, &scene.forge.sshd.strange_key()));
    assert_eq!(error.reason(), "RemoteAuth", "{error}");
    assert!(error.to_string().contains("Permission denied"), "{error}");
    assert!(error.help().contains("key"), "{}", error.help());
}

#[test]
fn a_key_that_ssh_would_ignore() {
    let scene = Scene::new();
    let key = scene.forge.sshd.key();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = scene.fetch_fails(with_key(&scene, &key));
    assert_eq!(error.reason(), "BadCredentials");
    let words = error.to_string();
    assert!(
        words.contains("mode 0644") && words.contains("chmod 600"),
        "{words}"
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    scene
        .reader(with_key(&scene, &key), "good")
        .fetch()
        .unwrap();
}

#[test]
fn a_host_that_is_not_known_and_one_whose_key_changed() {
    let scene = Scene::new();
    let (_, known_hosts) = scene.forge.key_and_hosts();
    let known = std::fs::read(&known_hosts).unwrap();
    std::fs::write(&known_hosts, "").unwrap();
    let error = scene.fetch_fails(scene.forge.source(Transport::Ssh));
    assert_eq!(error.reason(), "RemoteHostKey", "{error}");
    assert!(error.help().contains("known_hosts"), "{}", error.help());
    assert!(std::fs::read(&known_hosts).unwrap().is_empty());

    std::fs::write(&known_hosts, known).unwrap();
    let mut reader = scene.reader(scene.forge.source(Transport::Ssh), "changing");
    reader.fetch().unwrap();
    scene.forge.sshd.change_host_key();
    let error = reader.fetch().unwrap_err();
    assert_eq!(error.reason(), "RemoteHostKey", "{error}");
    assert!(error.help().contains("ask why"), "{}", error.help());
    let address = scene.forge.proxy(Transport::Ssh).address();
    scene.forge.sshd.write_known_hosts(address);
    reader.fetch().unwrap();
}

#[test]
fn certificates_that_are_not_trusted() {
    let scene = Scene::new();
    let authority = scene.forge.authority.file();
    let mut reader = scene.reader(trusting(&scene, authority), "https");
    reader.fetch().unwrap();
    let stranger = Authority::new(scene.folder.path(), "stranger");
    let before = scene.forge.https.asked().len();
    for (what, certified) in [
        ("expired", scene.forge.authority.expired()),
        ("another host's", scene.forge.authority.of_another_host()),
        ("untrusted", stranger.good()),
    ] {
        scene.forge.https.show(certified);
        let error = reader.fetch().unwrap_err();
        no_secret(&told(&error));
        assert_eq!(error.reason(), "RemoteCertificate", "{what}: {error}");
        assert!(error.help().contains("--ca-file"), "{}", error.help());
    }
    // To nobody of them was the token shown: nobody was asked anything.
    assert_eq!(scene.forge.https.asked().len(), before);
    scene.forge.https.show(scene.forge.authority.good());
    reader.fetch().unwrap();
    assert!(scene.forge.https.asked().len() > before);
    // Without a CA file, the system's authorities are asked: they do not know this one.
    let source = Source::new(&scene.forge.url(Transport::Https), "main").unwrap();
    let error = scene.fetch_fails(source);
    assert_eq!(error.reason(), "RemoteCertificate", "{error}");
}

#[test]
fn a_ca_file_that_is_none() {
    let scene = Scene::new();
    let file = scene.folder.path().join("ca.pem");
    let error = scene.fetch_fails(trusting(&scene, &file));
    assert_eq!(error.reason(), "BadCredentials", "{error}");
    assert!(error.to_string().contains("ca.pem"), "{error}");
    std::fs::write(&file, "no certificate").unwrap();
    let error = scene.fetch_fails(trusting(&scene, &file));
    assert_eq!(error.reason(), "RemoteCertificate", "{error}");
}

#[test]
fn a_wrong_token_is_told_and_a_renewed_one_is_read() {
    let scene = Scene::new();
    let mut reader = scene.reader(scene.forge.source(Transport::Https), "https");
    std::fs::write(scene.forge.token_file(), "wr0ng-t0ken-4712").unwrap();
    let error = reader.fetch().unwrap_err();
    assert_eq!(error.reason(), "RemoteAuth", "{error}");
    assert!(!told(&error).contains("wr0ng"), "{error:?}");
    assert!(error.help().contains("token"), "{}", error.help());
    std::fs::write(scene.forge.token_file(), TOKEN).unwrap();
    reader.fetch().unwrap();
    scene.is_clean();
    // No token at all is no question at a terminal.
    let source = scene.with_auth(Transport::Https, Auth::Default);
    assert_eq!(scene.fetch_fails(source).reason(), "RemoteAuth");
}

#[test]
fn statuses_of_the_server_are_told_apart() {
    let scene = Scene::new();
    let mut reader = scene.reader(scene.forge.source(Transport::Https), "https");
    reader.fetch().unwrap();
    for (status, reason) in [
        (403, "RemoteAuth"),
        (404, "RemoteNotFound"),
        (429, "RemoteUnreachable"),
        (500, "RemoteUnreachable"),
        (503, "RemoteUnreachable"),
    ] {
        scene.forge.https.answer(Answer::Status(status));
        let error = reader.fetch().unwrap_err();
        assert_eq!(error.reason(), reason, "{status}: {error}");
        assert!(reader.known_tip().unwrap().is_some());
    }
    scene.forge.https.answer(Answer::Serve);
    reader.fetch().unwrap();
}

#[test]
fn a_repository_that_is_not_there() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        let url = scene.forge.url(transport).replace(".git", "certificate");
        let source = Source::new(&url, "main")
            .unwrap()
            .with_auth(scene.forge.auth(transport))
            .with_ca_file(scene.forge.authority.file().to_owned());
        let error = scene.fetch_fails(source);
        assert_eq!(error.reason(), "RemoteNotFound", "{transport}: {error}");
    }
}

#[test]
fn a_server_that_repeats_the_token_is_not_repeated() {
    let scene = Scene::new();
    scene.forge.https.answer(Answer::Echo);
    let error = scene.fetch_fails(scene.forge.source(Transport::Https));
    assert_eq!(error.reason(), "RemoteAuth", "{error}");
    assert!(error.to_string().contains("you sent Basic ***"), "{error}");
}

#[test]
fn a_redirect_is_followed_without_the_token() {
    let scene = Scene::new();
    let root = scene.repository.root();
    let other = Https::start("127.0.0.2", root, scene.forge.authority.good());
    let to = format!("https://{}", other.address());
    scene.forge.https.answer(Answer::Redirect(to));
    let error = scene.fetch_fails(scene.forge.source(Transport::Https));
    assert_eq!(error.reason(), "RemoteAuth", "{error}");
    let asked = other.asked();
    assert!(!asked.is_empty(), "the redirect was not followed");
    for request in asked {
        assert_eq!(request.authorization, "", "{request:?}");
    }
}

#[test]
fn a_redirect_out_of_tls_is_not_followed() {
    let scene = Scene::new();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", plain.local_addr().unwrap());
    scene.forge.https.answer(Answer::Redirect(to));
    let error = scene.fetch_fails(scene.forge.source(Transport::Https));
    assert_eq!(error.reason(), "RemoteUnreachable", "{error}");
    plain.set_nonblocking(true).unwrap();
    let nobody = plain.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}
