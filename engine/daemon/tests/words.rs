//! What a user reads: widths, formats, which cluster is meant, what is said of each file.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// Code, standard output, standard error.
type Said = (Option<i32>, String, String);

fn berth(dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = Command::cargo_bin("berth").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BERTH_")) {
        command.env_remove(name);
    }
    command.env_remove("COLUMNS").env("KUBECONFIG", "/nowhere");
    command.envs(environment.iter().copied());
    let output = command.current_dir(dir).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The example repository, with more files.
fn example(more: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../state-example");
    for folder in ["clusters", "defaults", "experiments", "queues"] {
        fs::create_dir(root.path().join(folder)).unwrap();
        for file in fs::read_dir(from.join(folder)).unwrap() {
            let file = file.unwrap();
            let to = root.path().join(folder).join(file.file_name());
            fs::copy(file.path(), to).unwrap();
        }
    }
    for (path, text) in more {
        fs::write(root.path().join(path), text).unwrap();
    }
    root
}

fn experiment(rest: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Experiment\nmetadata: {{name: bad}}\nspec:\n  queue: vision\n  \
         entrypoint: [train]\n{rest}"
    )
}

fn commit(root: &Path) {
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["commit", "-qm", "x"],
    ] {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
        assert!(
            git.current_dir(root)
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
    }
}

/// Many kinds of faults, some of them with long lines.
fn faults() -> String {
    let long = "x".repeat(200);
    experiment(&format!(
        "  maxRuntime: 2 hours\n  environment: {{variables: {{A: 1}}}}\n  description: {long}\n  resources: {{slotsPerTrial: 12}}\n  \
         hyperparameters: {{{long}: 1e-4}}\n  pod: {{spec: {{serviceAccountName: robot, volumes: [{{name: a, hostPath: {{path: /etc/{long}}}}}, \
         {{name: b, nfs: {{server: s, path: /}}}}], containers: [{{name: task, $patch: delete}}, {{name: l, resources: {{limits: {{memory: 8 GB}}}}}}]}}}}\n"
    ))
}

#[test]
fn findings_fit_the_terminal_and_a_pipe_gets_whole_lines() {
    let root = example(&[("experiments/bad.yaml", &faults())]);
    for columns in [70, 80, 120] {
        let told = columns.to_string();
        let (code, out, _) = berth(root.path(), &["validate"], &[("COLUMNS", &told)]);
        assert_eq!(code, Some(1), "{out}");
        assert!(out.matches("error[").count() >= 8, "{out}");
        for line in out.lines().filter(|line| !line.contains("xxxxxxxxx")) {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
    }
    let (_, out, _) = berth(root.path(), &["validate"], &[]);
    let help =
        "help: add it, or a folder above it, to `allow.hostPaths` of the queue, or leave it out";
    assert!(out.contains(help), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
    let (_, out, _) = berth(root.path(), &["validate"], &[("COLUMNS", "60")]);
    assert!(out.contains("\n          "), "{out}");
}

#[test]
fn every_command_that_prints_data_has_text_json_and_yaml() {
    let root = example(&[]);
    commit(root.path());
    for command in [
        &["validate"][..],
        &["plan", "--offline"],
        &["check", "--offline"],
        &["explain", "hello", "spec.restartPolicy"],
        &["render", "hello", "--rank", "0"],
        &["schema", "Queue"],
    ] {
        let of = |format| berth(root.path(), &[command, &["-o", format]].concat(), &[]);
        for format in ["text", "json", "yaml"] {
            let (code, out, err) = of(format);
            assert_eq!(code, Some(0), "{command:?} {format}: {err}");
            assert!(!out.is_empty(), "{command:?} {format}");
        }
        let json: Value = serde_json::from_str(&of("json").1).unwrap();
        let yaml: Value = serde_saphyr::from_str(&of("yaml").1).unwrap();
        let json = match &json {
            // One document, not a list of one.
            Value::Array(one) if command[0] == "render" => &one[0],
            all => all,
        };
        assert_eq!(*json, yaml, "{command:?}");
    }
    for command in ["status", "why", "drift"] {
        let (_, help, _) = berth(root.path(), &[command, "--help"], &[]);
        for format in ["- text:", "- json:", "- yaml:"] {
            assert!(help.contains(format), "{command}: {help}");
        }
    }
    let (code, _, err) = berth(root.path(), &["status", "-o", "sarif"], &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("text, json, yaml"), "{err}");
}

#[test]
fn the_only_cluster_is_meant_and_of_several_none() {
    let root = example(&[]);
    let at = root.path();
    commit(at);
    // It goes on to what it needs next.
    let (code, _, err) = berth(at, &["run", "--repo", "."], &[]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("kubeconfig"), "{err}");
    // No branch to read is no finding.
    for command in [&["status"][..], &["why", "pod"]] {
        let (code, _, err) = berth(at, command, &[]);
        assert_eq!(code, Some(3), "{err}");
        assert!(
            err.contains("berth/status/lab") && err.contains("help: it begins when"),
            "{err}"
        );
    }

    let other = fs::read_to_string(at.join("clusters/lab.yaml")).unwrap();
    let other = other.replace("name: lab", "name: prod");
    fs::write(at.join("clusters/prod.yaml"), &other).unwrap();
    commit(at);
    for command in [
        &["run", "--repo", "."][..],
        &["reanchor", "--repo", ".", "--yes"],
        &["plan", "--offline"],
        &["check", "--offline"],
        &["drift"],
        &["uninstall"],
        &["status"],
        &["why", "pod"],
        &["explain", "hello"],
        &["render", "hello"],
    ] {
        let (code, _, err) = berth(at, command, &[]);
        assert_eq!(code, Some(2), "{command:?}: {err}");
        assert!(err.contains("the clusters lab, prod"), "{command:?}: {err}");
        assert!(
            err.contains("help: say which one with --cluster"),
            "{command:?}: {err}"
        );
    }
    let (code, out, err) = berth(at, &["render", "hello"], &[("BERTH_CLUSTER", "lab")]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("kind: Pod"), "{out}");
}

#[test]
fn a_cluster_that_no_document_describes_is_no_finding() {
    let root = example(&[]);
    let at = root.path();
    commit(at);
    let commands = [
        &["plan", "--offline"][..],
        &["plan"],
        &["check", "--offline"],
        &["drift"],
        &["uninstall"],
        &["status"],
        &["why", "pod"],
        &["explain", "hello"],
        &["render", "hello"],
        &["compact", "--repo", "."],
        &["reanchor", "--repo", ".", "--yes"],
    ];
    let named = |command: &[&str]| berth(at, &[command, &["--cluster", "la"]].concat(), &[]);
    for command in commands {
        let (code, _, err) = named(command);
        assert_eq!(code, Some(2), "{command:?}: {err}");
        let words = "error: the repository holds no `Cluster` document `la`\n\
            help: did you mean --cluster lab?\n";
        assert_eq!(err, words, "{command:?}");
    }
    // Who knows what stands in a file that cannot be read.
    fs::write(at.join("clusters/la.yaml"), "kind: [").unwrap();
    commit(at);
    for command in [&["plan", "--offline"][..], &["drift"], &["uninstall"]] {
        let (code, _, err) = named(command);
        assert_eq!(code, Some(1), "{command:?}: {err}");
        assert!(err.contains("--> clusters/la.yaml:"), "{command:?}: {err}");
    }
    let (code, _, err) = named(&["status"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(
        err.contains("there is no branch `berth/status/la`"),
        "{err}"
    );
}

#[test]
fn a_folder_goes_before_the_repository_of_the_environment() {
    let root = example(&[]);
    let set = [("BERTH_REPO", "/no/such/repository")];
    assert_eq!(berth(root.path(), &["validate", "."], &set).0, Some(0));
    assert_eq!(berth(root.path(), &["validate"], &set).0, Some(3));
    let (code, _, err) = berth(root.path(), &["validate", ".", "--repo", "."], &[]);
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn files_without_documents_are_fine_but_not_alone() {
    let root = example(&[("later.yaml", "# later\n"), ("empty.yml", "")]);
    let (code, out, _) = berth(root.path(), &["validate"], &[]);
    assert_eq!((code, out.as_str()), (Some(0), "5 documents, all valid\n"));
    let alone = tempfile::tempdir().unwrap();
    fs::write(alone.path().join("later.yaml"), "# later\n").unwrap();
    let (code, out, _) = berth(alone.path(), &["validate"], &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("B0502") && out.contains("help: add documents"),
        "{out}"
    );
}

#[test]
fn what_is_not_read_has_its_own_help() {
    let root = example(&[("big.yaml", &"#".repeat(2 << 20))]);
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("link.yaml")).unwrap();
    let deep = root.path().join("d/".repeat(40));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x.yaml"), "a: 1").unwrap();
    let (code, out, _) = berth(root.path(), &["validate"], &[]);
    assert_eq!(code, Some(1), "{out}");
    for words in [
        "error[B0501]: link.yaml is not read: it is a symbolic link",
        "help: put the file itself there, or remove the link",
        "error[B0102]: big.yaml is not read: it is larger than",
        "help: keep data out of documents",
        "help: move it up: folders are up to you",
    ] {
        assert!(out.contains(words), "no {words:?} in\n{out}");
    }
}

#[test]
fn a_broken_kubeconfig_of_the_environment_is_named() {
    let folder = example(&[("kubeconfig", "clusters: 3")]);
    let path = folder.path().join("kubeconfig").display().to_string();
    let said = berth(folder.path(), &["plan"], &[("KUBECONFIG", &path)]);
    assert_eq!(said.0, Some(3), "{said:?}");
    for words in [
        format!("the kubeconfig {path} is not valid"),
        format!("help: `KUBECONFIG={path} kubectl config view` reads it too"),
    ] {
        assert!(said.2.contains(&words), "no {words:?} in {}", said.2);
    }
}

#[test]
fn what_waits_for_a_broken_one_is_counted() {
    let root = example(&[]);
    let queue = fs::read_to_string(root.path().join("queues/vision.yaml")).unwrap();
    let queue = queue.replace("quota: 64", "quota: -1");
    fs::write(root.path().join("queues/vision.yaml"), queue).unwrap();
    let (code, out, _) = berth(root.path(), &["validate"], &[]);
    assert_eq!(code, Some(1));
    let last = out.lines().last().unwrap();
    assert_eq!(
        last,
        "5 documents, 1 error; 2 documents that refer to what is invalid are checked further once it is mended"
    );
    let (_, out, _) = berth(root.path(), &["validate", "-o", "json"], &[]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["unchecked"], 2);
}
