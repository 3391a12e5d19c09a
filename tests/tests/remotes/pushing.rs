//! The status branch on a remote: a compare-and-swap, whatever the weather.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use berth_git::PushError;
use berth_tests::e2e::BRANCH;
use berth_tests::remotes::{Transport, Weather};

use crate::scene::{Scene, noise};

#[test]
fn commits_arrive_and_another_writer_is_noticed() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        let status = scene.status(&scene.forge.source(transport), &transport.to_string());
        let base = status.load().map(|files| files.tip);
        let first = status.commit(base, format!("1 {transport}").as_bytes());
        status.0.push(base, first).unwrap();
        assert_eq!(scene.tip(), Some(first.to_string()));
        // A push whose answer was lost may be repeated.
        status.0.push(base, first).unwrap();

        let others =
            scene
                .repository
                .git(&["commit-tree", "-p", BRANCH, "-m", "other", "main^{tree}"]);
        let others = others.trim();
        let branch = format!("refs/heads/{BRANCH}");
        scene.repository.git(&["update-ref", &branch, others]);
        let second = status.commit(Some(first), b"2");
        let error = status.push_fails(Some(first), second);
        assert!(matches!(error, PushError::Rejected), "{error:?}");
        assert_eq!(scene.tip().as_deref(), Some(others));

        // Read again, it goes on.
        let read = status.load().unwrap();
        assert_eq!(read.tip.to_string(), others);
        let second = status.commit(Some(read.tip), b"2");
        status.0.push(Some(read.tip), second).unwrap();
        assert_eq!(scene.tip(), Some(second.to_string()));

        // A branch that somebody deleted is no longer where it was, either.
        scene.repository.git(&["update-ref", "-d", &branch]);
        let third = status.commit(Some(second), b"3");
        let error = status.push_fails(Some(second), third);
        assert!(matches!(error, PushError::Rejected), "{error:?}");
        assert_eq!(status.load(), None);
    }
    scene.is_clean();
}

#[test]
fn a_hook_refuses_in_its_own_words() {
    let scene = Scene::new();
    let hook = scene.repository.root().join(".git/hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    for transport in Transport::ALL {
        let status = scene.status(&scene.forge.source(transport), &transport.to_string());
        let base = status.load().map(|files| files.tip);
        let tip = status.commit(base, transport.to_string().as_bytes());
        std::fs::write(
            &hook,
            "#!/bin/sh\necho status branches need a review >&2\nexit 1\n",
        )
        .unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = status.push_fails(base, tip);
        assert_eq!(error.reason(), "PushRefused");
        let words = error.to_string();
        assert!(words.contains("status branches need a review"), "{words}");
        assert!(error.help().contains("berth/status/*"), "{}", error.help());
        std::fs::remove_file(&hook).unwrap();
        status.0.push(base, tip).unwrap();
        assert_eq!(scene.tip(), Some(tip.to_string()));
    }
}

#[test]
fn a_push_that_hangs_or_breaks_may_have_arrived_and_is_repeated() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        for (number, weather) in [
            Weather::HangAfterSent(0),
            Weather::HangAfterSent(200_000),
            Weather::HangAfter(0),
            Weather::ResetAfter(0),
        ]
        .into_iter()
        .enumerate()
        {
            let mirror = format!("{transport}-{number}");
            let patient = scene.status(&scene.forge.source(transport), &mirror);
            let base = patient.load().map(|files| files.tip);
            let status = scene.status(&scene.impatient(transport), &mirror);
            let tip = status.commit(base, &noise(&mirror, 1 << 20));
            scene.forge.proxy(transport).set(weather);
            let began = Instant::now();
            let error = status.push_fails(base, tip);
            assert!(began.elapsed() < Duration::from_secs(20), "{weather:?}");
            assert!(error.is_unknown(), "{transport} {weather:?}: {error}");
            scene.forge.proxy(transport).set(Weather::Fair);
            patient.0.push(base, tip).unwrap();
            assert_eq!(scene.tip(), Some(tip.to_string()));
        }
    }
    scene.is_clean();
}

#[test]
fn an_account_that_may_only_read_is_told() {
    let scene = Scene::new();
    // What `git http-backend` says of a repository that takes no pushes.
    scene
        .repository
        .git(&["config", "http.receivepack", "false"]);
    let status = scene.status(&scene.forge.source(Transport::Https), "reader");
    assert_eq!(status.load(), None);
    let tip = status.commit(None, b"1");
    let error = status.push_fails(None, tip);
    assert_eq!(error.reason(), "RemoteAuth", "{error}");
    assert!(
        error.help().contains("what its account may do"),
        "{}",
        error.help()
    );
}
