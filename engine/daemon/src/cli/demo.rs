//! `berth demo`

use std::path::{Path, PathBuf};

use crate::demo::{self, Settings};
use crate::error::{CommandError, CommandResult, Exit};

/// Show what Berth does: a throwaway repository, a sandbox, a daemon, nine commits and a kill
///
/// Everything happens on this machine and is gone afterwards, also after Ctrl-C or SIGTERM, which
/// end it with 130 and 143; a second one does not wait for the daemon to end. Exit code 0 means that
/// all of it truly happened.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  berth demo\n  berth demo --keep            # leave repository and kubeconfig, keep the sandbox up\n  berth demo --keep=/tmp/look"
)]
pub struct Args {
    /// Leave everything in this folder and keep the sandbox running until Ctrl-C
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "berth-demo")]
    keep: Option<PathBuf>,
}

/// Tells the story.
pub fn run(args: &Args) -> CommandResult {
    if let Some(folder) = args.keep.as_deref().filter(|it| !is_free(it)) {
        let cause = format!(
            "`{}` is there already, and is not an empty folder",
            folder.display()
        );
        return Err(CommandError::usage(cause).hint("name a new folder with --keep=DIR"));
    }
    let settings = Settings {
        keep: args.keep.clone(),
    };
    super::runtime()?.block_on(demo::tell(&settings))?;
    Ok(Exit::Fine)
}

/// Whether nothing of anybody's stands there.
fn is_free(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
