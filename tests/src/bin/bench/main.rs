//! `make bench`: what Berth costs, measured, against the goals of the design. It prints a table;
//! nothing fails for being slow, only for being wrong. `--quick` runs everything once, small.

mod documents;
mod items;
mod process;
mod report;
mod repository;
mod world;

use std::process::ExitCode;

use report::Report;

/// Anything that makes a measurement impossible.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Documents of the large repository.
    documents: usize,
    /// Documents of the small one.
    few: usize,
    /// Experiments of [`documents::PODS`] pods each.
    experiments: usize,
    /// The window in which nothing happens.
    steady: std::time::Duration,
}

impl Size {
    const FULL: Self = Self {
        documents: 10_000,
        few: 100,
        experiments: 1_000,
        steady: std::time::Duration::from_mins(1),
    };
    const QUICK: Self = Self {
        documents: 50,
        few: 10,
        experiments: 5,
        steady: std::time::Duration::from_secs(1),
    };

    fn pods(&self) -> usize {
        self.experiments * documents::PODS
    }
}

const USAGE: &str = "\
usage: bench [--quick] [ITEM...]
items: validate plan change launch (launch includes the steady state, the restart and the end)";

fn main() -> ExitCode {
    let mut size = Size::FULL;
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => size = Size::QUICK,
            "validate" | "plan" | "change" | "launch" => chosen.push(argument),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let mut report = Report::default();
    let measured = measure(size, &chosen, &mut report);
    print!("{}", report.table());
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(size: Size, chosen: &[String], report: &mut Report) -> Fallible<()> {
    let wanted = |item: &str| chosen.is_empty() || chosen.iter().any(|one| one == item);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if wanted("validate") {
        items::validate(size, report)?;
    }
    if wanted("plan") {
        items::plan(size, report)?;
    }
    if wanted("change") {
        runtime.block_on(items::change(size.few, report))?;
        runtime.block_on(items::change(size.documents, report))?;
    }
    if wanted("launch") {
        runtime.block_on(items::launch(size, report))?;
    }
    Ok(())
}
