//! `berth completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::error::{CommandResult, Exit};
use crate::output;

/// Print a script that completes berth's commands in a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  berth completions bash > ~/.local/share/bash-completion/completions/berth"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "berth", &mut script);
    output::print_data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Fine)
}
