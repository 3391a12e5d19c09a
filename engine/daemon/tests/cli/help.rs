//! Help, and what is typed wrong.

use super::berth;

#[test]
fn every_command_has_help_with_an_example_in_eighty_columns() {
    let help = berth(&["--help"]);
    assert_eq!(help.code, Some(0));
    let commands = help
        .out
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let help = berth(&[name, "--help"]);
        assert_eq!(help.code, Some(0), "{name}");
        assert!(
            help.out.contains(&format!("berth {name}")),
            "{name} shows no example"
        );
        for line in help.out.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_error_that_names_the_closest() {
    let run = berth(&["valdate"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("'validate'"), "{}", run.err);
    let run = berth(&["validate", "--outptu", "json"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--output"), "{}", run.err);
    assert_eq!(berth(&[]).code, Some(2));
}
