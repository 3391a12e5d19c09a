use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use berth_git::{Auth, Limits, Source};

use crate::repo::{Repo, folder, open};

fn fetch(source: Source) -> berth_git::GitError {
    open(source).fetch().unwrap_err()
}

/// A server that reads what comes and gives every connection this answer.
fn server(answer: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/state.git", listener.local_addr().unwrap());
    let (send, receive) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).unwrap_or(0);
            let _ = send.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, receive)
}

#[test]
fn a_hanging_remote_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for url in [
        format!("http://{address}/r"),
        format!("ssh://git@{address}/r"),
    ] {
        let limits = Limits {
            timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let started = Instant::now();
        let error = fetch(Source::new(&url, "main").unwrap().with_limits(limits));
        assert_eq!(error.reason(), "RemoteTimeout", "{url}");
        assert!(started.elapsed() < Duration::from_secs(5), "{url}");
    }
}

#[test]
fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for url in [
        format!("http://{address}/r"),
        format!("ssh://git@{address}/r"),
    ] {
        let error = fetch(Source::new(&url, "main").unwrap());
        assert_eq!(error.reason(), "RemoteUnreachable", "{url}: {error}");
    }
}

#[test]
fn a_wrong_token_is_told_and_not_shown() {
    let answer = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (url, requests) = server(answer);
    let file = folder().join("token");
    std::fs::write(&file, "s3cret/%\n").unwrap();
    let error = fetch(
        Source::new(&url, "main")
            .unwrap()
            .with_auth(Auth::Token { file }),
    );
    assert_eq!(error.reason(), "RemoteAuth");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    // The second request carries `x-access-token:s3cret/%`.
    let sent: Vec<_> = requests.try_iter().collect();
    assert!(
        sent[1].contains("Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0LyU="),
        "{sent:?}"
    );
}

#[test]
fn a_password_in_the_url_is_used_and_not_shown() {
    let answer = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (url, requests) = server(answer);
    let url = url.replace("http://", "http://ada:hunter2@");
    let error = fetch(Source::new(&url, "main").unwrap());
    assert_eq!(error.reason(), "RemoteAuth");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let sent: Vec<_> = requests.try_iter().collect();
    assert!(sent[1].contains("Basic YWRhOmh1bnRlcjI="), "{sent:?}");
}

#[test]
fn a_token_does_not_travel_in_the_clear() {
    let file = folder().join("token");
    std::fs::write(&file, "s3cret").unwrap();
    let source = Source::new("http://git.example.com/r", "main").unwrap();
    let error = fetch(source.with_auth(Auth::Token { file }));
    assert_eq!(
        error.to_string(),
        "the token or password cannot be used: http would send it in the clear"
    );
}

#[test]
fn an_unusable_credential_file_is_told() {
    let missing = folder().join("none");
    let source = Source::new("https://127.0.0.1:1/r", "main").unwrap();
    let error = fetch(source.with_auth(Auth::Token { file: missing }));
    assert_eq!(error.reason(), "BadCredentials");
    for key in ["/a b'; id", "relative", "/nowhere/key"] {
        let auth = Auth::SshKey {
            key: key.into(),
            known_hosts: "/dev/null".into(),
        };
        let error = fetch(
            Source::new("git@127.0.0.1:r", "main")
                .unwrap()
                .with_auth(auth),
        );
        assert_eq!(error.reason(), "BadCredentials", "{key}");
    }
}

#[test]
fn a_repository_that_is_not_there_is_not_found() {
    let (url, _requests) =
        server("HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_eq!(
        fetch(Source::new(&url, "main").unwrap()).reason(),
        "RemoteNotFound"
    );
    assert_eq!(
        fetch(Source::new("file:///nowhere", "main").unwrap()).reason(),
        "RemoteNotFound"
    );
}

#[test]
fn a_mirror_runs_no_hook() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::new();
    repo.commit("first");
    let mirror = folder();
    let source = Source::new(&repo.url(), "main").unwrap();
    let mut reader = berth_git::Repository::open(source, &mirror).unwrap();
    let witness = folder().join("ran");
    let hook = mirror.join("hooks/reference-transaction");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", witness.display())).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    reader.fetch().unwrap();
    assert!(!witness.exists());
}

#[test]
fn a_fetch_of_too_much_is_stopped() {
    let repo = Repo::new();
    let mut random = vec![0; 3 << 20];
    std::fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut random)
        .unwrap();
    let small = repo.write("a.yaml", "1").commit("small");
    let limits = Limits {
        max_fetch: 1 << 20,
        ..Limits::default()
    };
    let mut reader = open(
        Source::new(&repo.url(), "main")
            .unwrap()
            .with_limits(limits),
    );
    assert_eq!(reader.fetch().unwrap().tip, small);
    repo.write("data.bin", random).commit("big");
    let error = reader.fetch().unwrap_err();
    assert_eq!(error.reason(), "RemoteTooLarge", "{error}");
    assert_eq!(reader.known_tip().unwrap(), Some(small));
}

#[test]
fn a_lock_that_was_left_behind_does_not_last() {
    let repo = Repo::new();
    let first = repo.commit("first");
    let mirror = folder();
    let source = Source::new(&repo.url(), "main").unwrap();
    let mut reader = berth_git::Repository::open(source.clone(), &mirror).unwrap();
    reader.fetch().unwrap();
    repo.commit("second");
    let lock = std::fs::File::create(mirror.join("refs/berth/tip.lock")).unwrap();
    assert_eq!(reader.fetch().unwrap_err().reason(), "MirrorBusy");
    assert_eq!(reader.known_tip().unwrap(), Some(first));
    lock.set_modified(std::time::SystemTime::now() - Duration::from_hours(1))
        .unwrap();
    let mut reader = berth_git::Repository::open(source, &mirror).unwrap();
    assert!(reader.fetch().unwrap().moved);
}
