//! What documents, names and repositories hold that is meant to do harm.

use std::fs;

use super::{berth_in, folder, valid};

#[test]
fn links_are_refused() {
    let root = valid();
    std::os::unix::fs::symlink("/etc", root.path().join("etc")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("passwd.yaml")).unwrap();
    let run = berth_in(root.path(), &["validate"]);
    assert_eq!(run.code, Some(1), "{}", run.out);
    assert!(run.out.contains("symbolic link"), "{}", run.out);
    assert!(!run.out.contains("root:"), "{}", run.out);
}

#[test]
fn hostile_texts_are_refused_at_once() {
    let nested = "[".repeat(20_000);
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n".to_owned();
    let large = format!("a: {}\n", "x".repeat(50 << 20));
    for text in [nested, bomb, large] {
        let root = valid();
        fs::write(root.path().join("bad.yaml"), &text).unwrap();
        let run = berth_in(root.path(), &["validate"]);
        assert_eq!(run.code, Some(1), "{}", run.out);
        assert!(run.out.contains("bad.yaml"), "{}", run.out);
        assert!(run.out.len() < 10_000, "the text itself is not repeated");
    }
}

/// What a document says reaches no terminal as something that it obeys.
#[test]
fn control_characters_are_shown_by_signs() {
    for hostile in [
        "\u{1b}[31m",
        "\u{9b}31m",
        "\u{9d}0;title\u{9c}",
        "\u{202e}x",
    ] {
        let image = format!("spec:\n  image: \"{hostile}\"");
        let root = folder(|text| text.replace("spec:", &image));
        let run = berth_in(root.path(), &["validate"]);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(run.out.contains("image"), "{}", run.out);
        let obeyed = |one: &char| one.is_control() && *one != '\n' || *one == '\u{202e}';
        assert_eq!(run.out.chars().find(obeyed), None, "{:?}", run.out);
    }
}
