//! `make bench`: what Berth costs, measured, against the goals of the design. It prints a table;
//! nothing fails for being slow, only for being wrong. `--quick` runs everything once, small.

mod cluster;
mod documents;
mod items;
mod opens;
mod plot;
mod process;
mod report;
mod repository;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use berth_tests::controlplane::Programs;
use cluster::Server;
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
    steady: Duration,
    /// How many experiments there are for each point of the plot.
    growth: &'static [usize],
}

impl Size {
    const FULL: Self = Self {
        documents: 10_000,
        few: 100,
        experiments: 1_000,
        steady: Duration::from_mins(1),
        growth: &[10, 100, 1_000, 4_000],
    };
    const QUICK: Self = Self {
        documents: 50,
        few: 10,
        experiments: 5,
        steady: Duration::from_secs(1),
        growth: &[2, 5],
    };

    fn pods(&self) -> usize {
        self.experiments * documents::PODS
    }
}

const USAGE: &str = "\
usage: bench [--quick] [--on sandbox|real] [--experiments N] [--from N] [--plot FILE] [ITEM...]
items: validate plan more change launch growth (launch includes the steady state, the restart and the
end; growth repeats it with 10 to 4,000 experiments and draws it into FILE)
--experiments: as many instead of 1,000, and in growth at most so many; --from: there at least.
Without --on: on the sandbox in this process, and on the real control plane if it is built
(`make controlplane`).";

const ITEMS: [&str; 6] = ["validate", "plan", "more", "change", "launch", "growth"];

/// What the command line says.
struct Arguments {
    size: Size,
    on: Option<String>,
    plot: Option<PathBuf>,
    items: Vec<String>,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut this = Self {
            size: Size::FULL,
            on: None,
            plot: None,
            items: Vec::new(),
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => this.size = Size::QUICK,
                "--experiments" => this.limit(words.next()?.parse().ok()?),
                "--from" => this.begin(words.next()?.parse().ok()?),
                "--on" => this.on = Some(words.next().filter(|on| is_server(on))?),
                "--plot" => this.plot = Some(words.next()?.into()),
                item if ITEMS.contains(&item) => this.items.push(word),
                _ => return None,
            }
        }
        Some(this)
    }

    /// So many experiments, and no point of the plot with more.
    fn limit(&mut self, experiments: usize) {
        let size = &mut self.size;
        size.experiments = experiments;
        let more = |one: &&usize| **one <= experiments;
        size.growth = &size.growth[..size.growth.iter().take_while(more).count()];
    }

    /// No point of the plot with fewer.
    fn begin(&mut self, experiments: usize) {
        let growth = self.size.growth;
        let fewer = |one: &&usize| **one < experiments;
        self.size.growth = &growth[growth.iter().take_while(fewer).count()..];
    }

    fn wants(&self, item: &str) -> bool {
        self.items.is_empty() || self.items.iter().any(|one| one == item)
    }

    fn is_on(&self, server: &str) -> bool {
        let asked = ["change", "launch", "growth"]
            .iter()
            .any(|item| self.wants(item));
        asked && self.on.as_deref().is_none_or(|on| on == server)
    }
}

fn is_server(on: &str) -> bool {
    matches!(on, "sandbox" | "real")
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if ["validate", "plan", "more"]
        .iter()
        .any(|item| arguments.wants(item))
    {
        report.begin("Without a cluster");
    }
    if arguments.wants("validate") {
        items::validate(arguments.size, report)?;
    }
    if arguments.wants("plan") {
        items::plan(arguments.size, report)?;
    }
    if arguments.wants("more") {
        items::more(arguments.size, report)?;
    }
    if arguments.is_on("sandbox") {
        report.begin("On the sandbox");
        runtime.block_on(on(&Server::Sandbox, arguments, report))?;
    }
    if arguments.is_on("real") {
        match Programs::if_built()? {
            Some(programs) => {
                report.begin("On a real control plane");
                runtime.block_on(on(&Server::Real(programs), arguments, report))?;
            }
            None => {
                report.begin(
                    "On a real control plane: NOT RUN, it is not built (`make controlplane`)",
                );
            }
        }
    }
    Ok(())
}

async fn on(server: &Server, arguments: &Arguments, report: &mut Report) -> Fallible<()> {
    let size = &arguments.size;
    if arguments.wants("change") {
        items::change(server, size, report).await?;
    }
    if arguments.wants("launch") {
        items::launch(server, size, report).await?;
    }
    if arguments.wants("growth") {
        // The plot of the real one stays, where both are measured.
        items::growth(server, size, arguments.plot.as_deref(), report).await?;
    }
    Ok(())
}
