//! The `berth` binary: what users type, the loop that carries effects out, HTTP and metrics.

mod cli;
mod demo;
mod error;
mod http;
mod logging;
mod look;
mod metrics;
mod output;
mod reconcile;
mod run;
mod sandbox;
mod source;

fn main() -> std::process::ExitCode {
    cli::main()
}
