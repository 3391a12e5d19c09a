//! Fetches in fair and bad weather: told in words, given up in time, and well again by themselves.

use std::time::{Duration, Instant};

use berth_git::Limits;
use berth_tests::remotes::{Transport, Weather};

use crate::scene::{Scene, no_secret, told};

/// A new commit with a large file.
fn large(scene: &Scene, seed: &str) -> String {
    scene.write_noise("noise", seed, 2 << 20);
    scene.repository.commit("Large")
}

/// The reader fails for this reason, keeps what it has, leaves nothing behind, and goes on once the
/// weather is fair.
fn fails_and_recovers(scene: &Scene, transport: Transport, weather: Weather, reason: &str) {
    let mirror = transport.to_string();
    let mut patient = scene.reader(scene.forge.source(transport), &mirror);
    let first = patient.fetch().unwrap().tip;
    // What hangs is waited for no longer than it must be; what breaks ends by itself.
    let source = match weather {
        Weather::HangAfter(_) => scene.impatient(transport),
        _ => scene.forge.source(transport),
    };
    let mut reader = scene.reader(source, &mirror);
    let second = large(scene, &format!("{transport} {weather:?}"));
    scene.forge.proxy(transport).set(weather);
    let began = Instant::now();
    let error = reader.fetch().unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20), "{weather:?}");
    no_secret(&told(&error));
    assert_eq!(error.reason(), reason, "{transport} {weather:?}: {error}");
    assert_eq!(reader.known_tip().unwrap(), Some(first));
    scene.is_clean();
    scene.forge.proxy(transport).set(Weather::Fair);
    assert_eq!(patient.fetch().unwrap().tip.to_string(), second);
}

#[test]
fn a_new_commit_is_seen() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        let mut reader = scene.reader(scene.forge.source(transport), &transport.to_string());
        let first = reader.fetch().unwrap();
        assert_eq!(reader.listing(first.tip).unwrap().files.len(), 1);
        scene
            .repository
            .write("a.yaml", &format!("a: {transport}\n"));
        let second = scene.repository.commit("Second");
        let seen = reader.fetch().unwrap();
        assert!(seen.moved);
        assert_eq!(seen.tip.to_string(), second);
        assert!(!reader.fetch().unwrap().moved);
    }
    scene.is_clean();
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        for bytes in [0, 200_000] {
            let weather = Weather::HangAfter(bytes);
            fails_and_recovers(&scene, transport, weather, "RemoteTimeout");
        }
    }
}

#[test]
fn a_connection_that_breaks_is_told_and_what_came_is_thrown_away() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        for bytes in [0, 200_000] {
            for weather in [Weather::ResetAfter(bytes), Weather::CutAfter(bytes)] {
                fails_and_recovers(&scene, transport, weather, "RemoteUnreachable");
            }
        }
    }
}

#[test]
fn more_than_the_limit_is_not_taken() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        let mirror = format!("{transport}");
        let limits = Limits {
            max_fetch: 1 << 20,
            ..Limits::default()
        };
        let source = scene.forge.source(transport).with_limits(limits);
        let mut patient = scene.reader(scene.forge.source(transport), &mirror);
        let first = patient.fetch().unwrap().tip;
        let mut reader = scene.reader(source, &mirror);
        let second = large(&scene, &mirror);
        let error = reader.fetch().unwrap_err();
        assert_eq!(error.reason(), "RemoteTooLarge", "{transport}: {error}");
        assert!(error.help().contains("--git-max-fetch"), "{}", error.help());
        assert_eq!(reader.known_tip().unwrap(), Some(first));
        scene.is_clean();
        assert_eq!(patient.fetch().unwrap().tip.to_string(), second);
    }
}

#[test]
fn a_reference_that_vanishes_is_told_and_may_come_back() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        let mut reader = scene.reader(scene.forge.source(transport), &transport.to_string());
        let tip = reader.fetch().unwrap().tip;
        scene.repository.git(&["branch", "-m", "main", "other"]);
        let error = reader.fetch().unwrap_err();
        assert_eq!(error.reason(), "MissingReference", "{transport}: {error}");
        assert!(error.help().contains("other"), "{}", error.help());
        assert_eq!(reader.known_tip().unwrap(), Some(tip));
        scene.repository.git(&["branch", "-m", "other", "main"]);
        assert_eq!(reader.fetch().unwrap().tip, tip);
    }
}

#[test]
fn a_head_that_leads_nowhere_is_told() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        let source = berth_git::Source::new(&scene.forge.url(transport), "HEAD")
            .unwrap()
            .with_auth(scene.forge.auth(transport))
            .with_ca_file(scene.forge.authority.file().to_owned());
        let mut reader = scene.reader(source, &format!("head-{transport}"));
        let tip = reader.fetch().unwrap().tip;
        scene
            .repository
            .git(&["symbolic-ref", "HEAD", "refs/heads/none"]);
        let error = reader.fetch().unwrap_err();
        assert_eq!(error.reason(), "MissingReference", "{transport}: {error}");
        scene
            .repository
            .git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
        assert_eq!(reader.fetch().unwrap().tip, tip);
    }
}

#[test]
fn whoever_ends_gives_up_a_fetch_at_once() {
    let scene = Scene::new();
    for transport in Transport::ALL {
        scene.forge.proxy(transport).set(Weather::HangAfter(0));
        let stop = berth_git::Stop::new();
        let source = scene.forge.source(transport).with_stop(stop.clone());
        let mut reader = scene.reader(source, &format!("stopped-{transport}"));
        let fetching = std::thread::spawn(move || reader.fetch().unwrap_err());
        scene.forge.proxy(transport).wait_accepted(1);
        let began = Instant::now();
        stop.stop();
        assert_eq!(fetching.join().unwrap().reason(), "Stopped");
        assert!(began.elapsed() < Duration::from_secs(10), "{transport}");
    }
}
