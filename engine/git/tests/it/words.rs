use berth_git::Source;

fn refused(location: &str) -> String {
    let error = Source::new(location, "main").unwrap_err();
    assert_eq!(error.reason(), "BadLocation", "{location}");
    error.to_string()
}

#[test]
fn locations_that_could_be_anything_else_are_refused() {
    for location in [
        "",
        "-u",
        "--upload-pack=touch /tmp/x",
        "a\nb",
        "https://host/a\0b",
        "ext::sh -c id",
        "fd::17",
        "remote-x::https://host/r",
        "git://host/r",
        "ftp://host/r",
        "file://host/r",
        "ssh://-oProxyCommand=id/r",
        "ssh://-oProxyCommand=id@host/r",
        "-oProxyCommand=id:r",
        "git@-oProxyCommand=id:r",
        "git@host:-r",
        "git@host:",
        "https:///r",
        "ssh://git:pw@host/r",
        "ssh://ho$(id)st/r",
        "https://host:x/r",
    ] {
        refused(location);
    }
}

#[test]
fn usual_locations_are_taken() {
    for location in [
        ".",
        "/srv/state",
        "../state",
        "file:///srv/state.git",
        "https://host/r.git",
        "https://host:8443/r.git",
        "http://127.0.0.1:1/r",
        "ssh://git@host:2222/r.git",
        "git@host:team/r.git",
        "host:r",
        "./with:colon",
    ] {
        assert!(Source::new(location, "main").is_ok(), "{location}");
    }
}

#[test]
fn references_that_could_be_options_are_refused() {
    for name in [
        "",
        "--upload-pack=x",
        "-",
        "a b",
        "a\nb",
        "a..b",
        "a:b",
        "a^",
        "*",
        "@{u}",
        "a\\b",
    ] {
        let error = Source::new(".", name).unwrap_err();
        assert_eq!(error.reason(), "BadReference", "{name}");
    }
    let error = Source::new(".", "--upload-pack=x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`--upload-pack=x` is not a reference: it begins with `-`, as an option of a program does"
    );
    assert!(Source::new(".", &"a".repeat(300)).is_err());
}

#[test]
fn credentials_are_never_shown() {
    let source = Source::new("https://ada:hunter2@host/r.git", "main").unwrap();
    assert_eq!(source.to_string(), "https://host/r.git");
    assert!(!format!("{source:?}").contains("hunter2"), "{source:?}");
    let shown = refused("ftp://ada:hunter2@host/r.git");
    assert!(
        !shown.contains("hunter2") && shown.contains("***@host"),
        "{shown}"
    );
    let shown = refused("https://ada:hun/ter2@host/r.git");
    assert!(!shown.contains("ter2"), "{shown}");
}
