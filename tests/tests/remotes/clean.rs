//! The programs that speak to a remote: nothing of the environment, of a configuration or of the
//! repository steers them, and nobody sees a secret in the list of processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use berth_tests::e2e::{self, Names, documents};
use berth_tests::remotes::{Answer, Authority, TOKEN, Transport};

use crate::scene::{Scene, no_secret};

/// A scene with documents, and a home that is not the tester's.
struct Place {
    scene: Scene,
    witness: PathBuf,
    home: PathBuf,
}

impl Place {
    fn new() -> Self {
        let scene = Scene::new();
        scene.repository.remove("a.yaml");
        for (path, text) in documents::first(&Names::fresh()) {
            scene.repository.write(path, &text);
        }
        scene.repository.commit("Documents");
        let home = scene.folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let witness = scene.folder.path().join("witness");
        Self {
            scene,
            witness,
            home,
        }
    }

    /// A program that leaves a trace.
    fn trap(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = self.scene.folder.path().join("trap");
        let text = format!(
            "#!/bin/sh\necho \"$0 $*\" >> {}\nexit 1\n",
            self.witness.display()
        );
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    fn config(&self, text: &str) {
        std::fs::write(self.home.join(".gitconfig"), text).unwrap();
    }

    /// `berth validate` of the remote, with these flags.
    fn command(&self, url: &str, flags: &[String]) -> Command {
        let mut command = self.bare(flags);
        command.args(["--repo", url]);
        command
    }

    fn bare(&self, flags: &[String]) -> Command {
        let mut command = e2e::command();
        command
            .args(["validate", "--ref", "main"])
            .args(flags)
            .arg("--mirrors")
            .arg(self.scene.mirror("cli"))
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn validate(&self, transport: Transport) -> Command {
        let forge = &self.scene.forge;
        self.command(&forge.url(transport), &forge.flags(transport))
    }

    fn nothing_ran(&self) {
        let ran = std::fs::read_to_string(&self.witness).unwrap_or_default();
        assert_eq!(ran, "", "a trap was run");
    }
}

fn words(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    no_secret(&text);
    text
}

#[test]
fn a_hostile_environment_and_configuration_run_nothing() {
    let place = Place::new();
    let trap = place.trap().display().to_string();
    let hooks = place.home.join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "reference-transaction",
        "post-checkout",
        "pre-push",
        "post-index-change",
    ] {
        std::fs::copy(&trap, hooks.join(hook)).unwrap();
    }
    place.config(&format!(
        "[core]\n sshCommand = {trap}\n askPass = {trap}\n fsmonitor = {trap}\n gitProxy = {trap}\n \
         hooksPath = {}\n pager = {trap}\n editor = {trap}\n\
         [credential]\n helper = {trap}\n\
         [fetch]\n recurseSubmodules = true\n prune = true\n\
         [submodule]\n recurse = true\n\
         [protocol]\n allow = always\n[protocol \"ext\"]\n allow = always\n\
         [gpg]\n program = {trap}\n[push]\n gpgSign = true\n",
        hooks.display()
    ));
    for transport in Transport::ALL {
        let mut command = place.validate(transport);
        for name in [
            "GIT_SSH",
            "GIT_SSH_COMMAND",
            "GIT_ASKPASS",
            "SSH_ASKPASS",
            "GIT_PROXY_COMMAND",
            "GIT_PAGER",
            "GIT_EDITOR",
            "GIT_EXTERNAL_DIFF",
        ] {
            command.env(name, &trap);
        }
        let output = command
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("DISPLAY", ":0")
            .env("GIT_DIR", "/nonexistent")
            .env("GIT_EXEC_PATH", "/nonexistent")
            .env("GIT_SSL_NO_VERIFY", "1")
            .env("GIT_TRACE", "1")
            .env("GIT_TRACE_CURL", "1")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.sshCommand")
            .env("GIT_CONFIG_VALUE_0", &trap)
            .output()
            .unwrap();
        assert!(output.status.success(), "{transport}: {}", words(&output));
        words(&output);
    }
    place.nothing_ran();
}

#[test]
fn a_rewritten_url_runs_no_transport_helper() {
    let place = Place::new();
    let trap = place.trap().display().to_string();
    let url = place.scene.forge.url(Transport::Https);
    for to in [format!("ext::{trap} "), "file:///".to_owned()] {
        place.config(&format!(
            "[protocol]\n allow = always\n[url \"{to}\"]\n insteadOf = {url}\n"
        ));
        let output = place.validate(Transport::Https).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", words(&output));
        assert!(words(&output).contains("not allowed"), "{}", words(&output));
    }
    place.nothing_ran();
}

#[test]
fn a_configuration_cannot_turn_trust_on() {
    let place = Place::new();
    let forge = &place.scene.forge;
    let stranger = Authority::new(place.scene.folder.path(), "stranger");
    forge.https.show(stranger.good());
    let folder = place.home.join("authorities");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(stranger.file(), folder.join("stranger.pem")).unwrap();
    let url = forge.url(Transport::Https);
    for setting in [
        "sslVerify = false".to_owned(),
        format!("sslCAInfo = {}", stranger.file().display()),
        format!("sslCAPath = {}", folder.display()),
    ] {
        place.config(&format!(
            "[http]\n {setting}\n[http \"{url}\"]\n {setting}\n"
        ));
        let output = place.validate(Transport::Https).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(3),
            "{setting}: {}",
            words(&output)
        );
        assert!(words(&output).contains("certificate"), "{}", words(&output));
    }
    // As a control, the same file named to Berth is trusted.
    let mut flags = forge.flags(Transport::Https);
    *flags.last_mut().unwrap() = stranger.file().display().to_string();
    let output = place.command(&url, &flags).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn submodules_are_refused_and_never_fetched() {
    let place = Place::new();
    let trap = place.trap().display().to_string();
    let repository = &place.scene.repository;
    repository.write(
        ".gitmodules",
        &format!(
            "[submodule \"a\"]\n path = a\n url = ext::{trap}\n\
             [submodule \"b\"]\n path = b\n url = file:///etc\n"
        ),
    );
    let tip = repository.tip("main").unwrap();
    repository.git(&["add", ".gitmodules"]);
    for path in ["a", "b"] {
        let entry = format!("160000,{tip},{path}");
        repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    }
    repository.git(&["commit", "--quiet", "--message", "Submodules"]);
    place.config("[fetch]\n recurseSubmodules = true\n[submodule]\n recurse = true\n[protocol]\n allow = always\n");
    for transport in Transport::ALL {
        let output = place.validate(transport).output().unwrap();
        assert!(words(&output).contains("submodule"), "{}", words(&output));
    }
    place.nothing_ran();
}

#[test]
fn a_credential_helper_of_the_user_is_asked() {
    let place = Place::new();
    let forge = &place.scene.forge;
    let helper = |token: &str| {
        place.config(&format!(
            "[credential]\n helper = \"!f() {{ echo username=x-access-token; echo password={token}; }}; f\"\n"
        ));
    };
    let ca = [
        "--ca-file".to_owned(),
        forge.authority.file().display().to_string(),
    ];
    let url = forge.url(Transport::Https);
    helper("wr0ng-t0ken");
    let output = place.command(&url, &ca).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = words(&output);
    assert!(
        said.contains("credential helper") && !said.contains("wr0ng"),
        "{said}"
    );
    helper(TOKEN);
    let output = place.command(&url, &ca).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn no_secret_is_in_an_argument_or_the_environment_of_a_program() {
    let place = Place::new();
    let forge = &place.scene.forge;
    forge.https.answer(Answer::Hold);
    let with_password = forge
        .url(Transport::Https)
        .replace("https://", &format!("https://x-access-token:{TOKEN}@"));
    let ca = [
        "--ca-file".to_owned(),
        forge.authority.file().display().to_string(),
    ];
    let mut by_file = place.validate(Transport::Https);
    let mut by_url = place.command(&with_password, &ca);
    let mut by_variable = place.bare(&ca);
    by_variable.env("BERTH_REPO", &with_password);
    for command in [&mut by_file, &mut by_url, &mut by_variable] {
        let mut child = command.spawn().unwrap();
        forge.https.wait_shown();
        let seen = descendants(child.id());
        let gits = seen
            .iter()
            .filter(|(line, _)| line.contains("remote-https"));
        assert_ne!(gits.count(), 0, "{seen:?}");
        for (line, environment) in &seen {
            no_secret(line);
            no_secret(environment);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        forge.https.forget();
    }
}

/// git keeps a login that a remote accepted: one that outlived its daemon does so in the mirror of the
/// next daemon, which has looked there before.
#[test]
fn what_a_program_without_a_daemon_keeps_goes_after_the_next_run() {
    let scene = Scene::new();
    let mut reader = scene.reader(scene.forge.source(Transport::Https), "https");
    let kept = scene.mirror("https").join("credentials.kept");
    std::fs::write(&kept, format!("https://x-access-token:{TOKEN}@127.0.0.1\n")).unwrap();
    reader.fetch().unwrap();
    assert!(!kept.exists());
    scene.is_clean();
}

/// Arguments and environments of all processes below this one.
fn descendants(root: u32) -> Vec<(String, String)> {
    let read = |path: &Path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(number) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = read(&entry.path().join("stat"));
        let parent = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .nth(1);
        let parent = parent.and_then(|parent| parent.parse::<u32>().ok());
        all.push((number, parent.unwrap_or_default()));
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(number, _)| *number),
        );
        next += 1;
    }
    let seen = family.iter().skip(1).map(|number| {
        let folder = Path::new("/proc").join(number.to_string());
        (read(&folder.join("cmdline")), read(&folder.join("environ")))
    });
    seen.collect()
}
