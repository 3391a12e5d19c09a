//! The command line: one file a command, typed arguments in, an exit code out.

mod branch;
mod check;
mod cluster;
mod compact;
mod completions;
mod demo;
mod documents;
mod drift;
mod experiment;
mod explain;
#[cfg(test)]
mod page;
mod plan;
mod reanchor;
mod render;
mod repository;
mod run;
mod runs;
mod sandbox;
mod schema;
mod status;
mod uninstall;
mod validate;
mod why;

pub use documents::Documents;
pub use repository::git_failed;

use std::process::ExitCode;

use berth_core::ids::Name;
use clap::{Parser, Subcommand};

use crate::error::{CommandError, CommandResult};
use crate::output;

/// Keeps a Kubernetes cluster for machine-learning experiments as a Git repository says.
///
/// Exit codes: 0 fine, 1 findings (invalid documents, drift, a plan under --exit-code), 2 usage
/// (also a name that nothing has), 3 the environment failed (Git, the cluster, no status branch).
#[derive(Debug, Parser)]
#[command(
    name = "berth",
    version,
    max_term_width = 80,
    subcommand_required = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Args),
    Plan(plan::Args),
    Check(check::Args),
    Run(Box<run::Args>),
    Status(status::Args),
    Why(why::Args),
    Drift(drift::Args),
    Render(render::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Reanchor(Box<reanchor::Args>),
    Compact(compact::Args),
    Uninstall(uninstall::Args),
    Sandbox(sandbox::Args),
    Demo(demo::Args),
    Completions(completions::Args),
}

impl Command {
    fn run(self) -> CommandResult {
        match self {
            Self::Validate(args) => validate::run(args),
            Self::Plan(args) => plan::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Status(args) => status::run(&args),
            Self::Why(args) => why::run(&args),
            Self::Run(args) => run::run(&args),
            Self::Drift(args) => drift::run(&args),
            Self::Reanchor(args) => reanchor::run(&args),
            Self::Compact(args) => compact::run(&args),
            Self::Uninstall(args) => uninstall::run(&args),
            Self::Render(args) => render::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Schema(args) => schema::run(&args),
            Self::Sandbox(args) => sandbox::run(&args),
            Self::Demo(args) => demo::run(&args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}

/// A name that the user typed.
fn name(text: Option<&str>) -> Result<Option<Name>, CommandError> {
    let checked = text.map(Name::new).transpose();
    checked.map_err(|error| {
        CommandError::usage(error)
            .while_doing(format!("take `{}` for a name", text.unwrap_or_default()))
    })
}

/// The runtime of the commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| CommandError::environment(error).while_doing("start the runtime"))
}

/// Ends when the user or the system asks the process to end.
async fn interrupted() {
    Interrupts::listen().come().await;
}

/// Signals that ask the process to end. From `listen` on none is lost, and none ends it by itself.
struct Interrupts(Option<[tokio::signal::unix::Signal; 2]>);

impl Interrupts {
    /// Must be called within a runtime.
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate()).ok();
        let interrupt = signal(SignalKind::interrupt()).ok();
        Self(terminate.zip(interrupt).map(|(one, two)| [one, two]))
    }

    /// Until the first one comes.
    async fn come(self) {
        match self.0 {
            Some([mut terminate, mut interrupt]) => tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            },
            // No handler can be set: then the signal itself ends the process.
            None => std::future::pending().await,
        }
    }
}

/// Parses the command line, runs the command, prints the error if there is one.
pub fn main() -> ExitCode {
    // A usage error ends here, with exit code 2 and the closest match.
    let cli = Cli::parse();
    match cli.command.run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error.report());
            error.kind.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// A daemon in a cluster is told by its environment.
    #[test]
    fn every_flag_of_the_daemon_has_an_environment_twin() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        for flag in run.get_arguments() {
            let name = flag.get_long().unwrap_or_default();
            let twin = format!("BERTH_{}", name.replace('-', "_").to_uppercase());
            let env = flag.get_env().map(|it| it.to_string_lossy().into_owned());
            assert_eq!(env, Some(twin), "--{name}");
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let wanted = format!("berth {}", command.get_name());
            assert!(
                help.contains(&wanted),
                "`{}` has no example",
                command.get_name()
            );
        }
    }
}
