//! `make bench`: what Berth costs, measured, against the goals of the design. It prints a table;
//! nothing fails for being slow, only for being wrong. `--quick` runs everything once, small.

mod cluster;
mod documents;
mod items;
mod plot;
mod process;
mod report;
mod repository;
mod world;

use std::path::PathBuf;
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
    /// How many experiments there are for each point of the plot.
    growth: &'static [usize],
}

impl Size {
    const FULL: Self = Self {
        documents: 10_000,
        few: 100,
        experiments: 1_000,
        steady: std::time::Duration::from_mins(1),
        growth: &[10, 100, 1_000, 4_000],
    };
    const QUICK: Self = Self {
        documents: 50,
        few: 10,
        experiments: 5,
        steady: std::time::Duration::from_secs(1),
        growth: &[2, 5],
    };

    fn pods(&self) -> usize {
        self.experiments * documents::PODS
    }
}

const USAGE: &str = "\
usage: bench [--quick] [--server KUBECONFIG] [--plot FILE] [ITEM...]
items: validate plan change launch growth (launch includes the steady state, the restart and the end;
growth repeats all of it with 10 to 4,000 experiments and draws it into FILE)
With --server the cluster is the one of this kubeconfig, with KWOK and a scheduler; otherwise a
sandbox in this process.";

const ITEMS: [&str; 5] = ["validate", "plan", "change", "launch", "growth"];

/// What the command line says.
struct Arguments {
    size: Size,
    server: Option<String>,
    plot: Option<PathBuf>,
    items: Vec<String>,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut this = Self {
            size: Size::FULL,
            server: None,
            plot: None,
            items: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => this.size = Size::QUICK,
                "--server" => this.server = Some(words.next()?),
                "--plot" => this.plot = Some(words.next()?.into()),
                item if ITEMS.contains(&item) => this.items.push(word),
                _ => return None,
            }
        }
        Some(this)
    }

    fn wants(&self, item: &str) -> bool {
        self.items.is_empty() || self.items.iter().any(|one| one == item)
    }
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut report = Report::default();
    let measured = measure(&arguments, &mut report);
    print!("{}", report.table());
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments, report: &mut Report) -> Fallible<()> {
    let (size, server) = (arguments.size, arguments.server.as_deref());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if arguments.wants("validate") {
        items::validate(size, report)?;
    }
    if arguments.wants("plan") {
        items::plan(size, report)?;
    }
    if arguments.wants("change") {
        runtime.block_on(items::change(server, size.few, report))?;
        runtime.block_on(items::change(server, size.documents, report))?;
    }
    if arguments.wants("launch") {
        runtime.block_on(items::launch(server, size, report))?;
    }
    if arguments.wants("growth") {
        let plot = arguments.plot.as_deref();
        runtime.block_on(items::growth(server, &size, plot, report))?;
    }
    Ok(())
}
