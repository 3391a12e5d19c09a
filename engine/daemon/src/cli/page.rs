//! The page of commands, made from the command line itself.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// The text of `docs/reference/commands.md`.
fn reference() -> String {
    let mut all = Cli::command();
    all.build();
    let mut page = String::from(
        "# Commands\n\n\
         Made from the command line: `make schema` writes it. `berth COMMAND --help` says the same. \
         Exit codes: 0 fine, 1 findings, 2 usage, 3 the environment failed.\n",
    );
    for command in all.get_subcommands().filter(|one| one.get_name() != "help") {
        section(&mut page, command);
    }
    page
}

fn section(page: &mut String, command: &Command) {
    let name = command.get_name();
    let words = command.get_long_about().or(command.get_about());
    let words = words.map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## berth {name}\n\n{words}\n");
    let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help";
    let arguments: Vec<&Arg> = command.get_arguments().filter(shown).collect();
    if !arguments.is_empty() {
        page.push_str("\n| Argument | Environment | |\n|---|---|---|\n");
    }
    for argument in arguments {
        row(page, argument);
    }
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        let lines = examples
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("berth "));
        let lines: Vec<&str> = lines.collect();
        let _ = write!(page, "\n```console\n$ {}\n```\n", lines.join("\n$ "));
    }
}

fn row(page: &mut String, argument: &Arg) {
    let variable = argument
        .get_env()
        .map(|name| format!("`{}`", name.to_string_lossy()));
    let words = argument.get_long_help().or(argument.get_help());
    let mut words = words
        .map(ToString::to_string)
        .unwrap_or_default()
        .replace('\n', " ");
    if !words.is_empty() && !words.ends_with(['.', ']']) {
        words.push('.');
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if argument.get_action().takes_values() && !values.is_empty() {
        let _ = write!(words, ". One of {}.", values.join(", "));
    }
    let defaults: Vec<_> = argument.get_default_values().iter().collect();
    if let [default] = defaults.as_slice()
        && argument.get_action().takes_values()
    {
        let _ = write!(words, " Default `{}`.", default.to_string_lossy());
    }
    let shown = argument.to_string().replace('|', "\\|");
    let _ = writeln!(
        page,
        "| `{shown}` | {} | {} |",
        variable.unwrap_or_default(),
        words.replace('|', "\\|")
    );
}

#[test]
fn the_committed_commands_are_those_of_the_command_line() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/commands.md");
    let page = reference();
    if std::env::var_os("BERTH_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{} differs: run `make schema`",
        path.display()
    );
}

#[test]
fn the_variables_that_the_pages_name_are_those_of_the_command_line() {
    let page = reference();
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for file in ["deploy/berth.yaml", "remotes.md"] {
        let text = std::fs::read_to_string(docs.join(file)).unwrap();
        let letter = |c: char| c.is_ascii_uppercase() || c == '_';
        let words = text.split(|c| !letter(c));
        let named: Vec<&str> = words
            .filter(|word| word.len() > 6 && word.starts_with("BERTH_"))
            .collect();
        assert!(!named.is_empty(), "{file} names none");
        for name in named {
            assert!(page.contains(&format!("`{name}`")), "{file}: {name}");
        }
    }
}
