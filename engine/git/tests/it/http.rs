//! The smart protocol over http, with a token, by `git http-backend`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use berth_git::{Auth, Repository, Source, StatusBranch};

use crate::repo::{Repo, folder, open, who};

/// `x-access-token:s3cret`
const ALLOWED: &str = "Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0";

fn serve(repo: &Repo) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let root = repo.path().to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            thread::spawn(move || answer(&stream, &root));
        }
    });
    url
}

fn answer(mut stream: &TcpStream, root: &Path) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let wanted = format!("{name}: ");
        let found = |line: &String| {
            let prefix = line.get(..wanted.len())?;
            prefix
                .eq_ignore_ascii_case(&wanted)
                .then(|| line[wanted.len()..].to_owned())
        };
        lines.iter().find_map(found).unwrap_or_default()
    };
    if header("Authorization") != ALLOWED {
        let no = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(no.as_bytes()).unwrap();
        return;
    }
    let mut body = vec![0; header("Content-Length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "ada")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("Content-Type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("Content-Encoding"))
        .env("GIT_PROTOCOL", header("Git-Protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    // http-backend leaves out the status when it is 200.
    let status = if output.starts_with(b"Status: ") {
        "500 No"
    } else {
        "200 Yes"
    };
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n").unwrap();
    stream.write_all(&output).unwrap();
}

fn token(text: &str) -> PathBuf {
    let file = folder().join("token");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_token_reads_and_pushes_over_http() {
    let (work, server) = (Repo::new(), Repo::bare());
    let first = work.write("a.yaml", "1").commit("first");
    work.git(&["push", "-q", &server.url(), "main"]);
    let url = serve(&server);
    let file = token("s3cret\n");
    let auth = Auth::Token { file: file.clone() };
    let source = Source::new(&url, "main").unwrap().with_auth(auth);
    let mirror = folder();
    let mut reader = Repository::open(source.clone(), &mirror).unwrap();
    assert_eq!(reader.fetch().unwrap().tip, first);
    assert_eq!(reader.listing(first).unwrap().files.len(), 1);

    let status = StatusBranch::open(&source, &mirror, "lab").unwrap();
    assert_eq!(status.load().unwrap(), None);
    let changes = [("format".to_owned(), Some(b"1\n".to_vec()))];
    let tip = status.commit(None, &changes, "status", 0, &who()).unwrap();
    status.push(None, tip).unwrap();
    assert_eq!(server.tip("berth/status/lab"), tip);

    // The token is rotated, first on one side.
    std::fs::write(&file, "other").unwrap();
    assert_eq!(reader.fetch().unwrap_err().reason(), "RemoteAuth");
    assert_eq!(
        status.push(Some(tip), tip).unwrap_err().reason(),
        "RemoteAuth"
    );
    std::fs::write(&file, "s3cret").unwrap();
    assert!(!reader.fetch().unwrap().moved);
}

#[test]
fn a_token_of_the_wrong_kind_is_told() {
    let server = Repo::bare();
    let url = serve(&server);
    for (text, reason) in [
        ("", "BadCredentials"),
        ("a b", "BadCredentials"),
        ("x", "RemoteAuth"),
    ] {
        let auth = Auth::Token { file: token(text) };
        let mut reader = open(Source::new(&url, "main").unwrap().with_auth(auth));
        assert_eq!(reader.fetch().unwrap_err().reason(), reason, "{text:?}");
    }
    let mut reader = open(Source::new(&url, "main").unwrap());
    assert_eq!(reader.fetch().unwrap_err().reason(), "RemoteAuth");
}
