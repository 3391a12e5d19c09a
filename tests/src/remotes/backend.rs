//! One request, answered by `git http-backend`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::https::Request;

/// Status line and headers with the body, as they go over the line.
pub(super) fn answer(root: &Path, request: &Request) -> Vec<u8> {
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        .arg("http-backend")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "ada")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type"))
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding"))
        .env("GIT_PROTOCOL", request.header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = request.body.clone();
    // A program that has read enough hangs up.
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().unwrap().stdout;
    let _ = writer.join().unwrap();
    framed(&output)
}

/// The program leaves out a status of 200 and the length.
fn framed(output: &[u8]) -> Vec<u8> {
    let end = output
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .map_or(output.len(), |at| at + 4);
    let (head, body) = output.split_at(end);
    let head = String::from_utf8_lossy(head);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
    let status = format!("HTTP/1.1 {}", status.unwrap_or("200 OK"));
    let length = format!("Content-Length: {}", body.len());
    let headers = head.lines().filter(|line| !line.is_empty());
    let mut lines: Vec<&str> = vec![&status];
    lines.extend(headers);
    lines.extend([&length, "Connection: close", "\r\n"]);
    [lines.join("\r\n").as_bytes(), body].concat()
}
