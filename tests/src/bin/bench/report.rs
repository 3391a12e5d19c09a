//! The table.

use std::fmt::Write as _;
use std::time::Duration;

/// Rows of what was measured; each is printed as soon as it is known.
#[derive(Debug, Default)]
pub struct Report(Vec<[String; 3]>);

impl Report {
    /// What was measured, the figure, and the goal if there is one.
    pub fn add(&mut self, what: impl Into<String>, figure: impl Into<String>, goal: &str) {
        let row = [what.into(), figure.into(), goal.to_owned()];
        eprintln!("{}: {} {}", row[0], row[1], row[2]);
        self.0.push(row);
    }

    /// All of it, as Markdown.
    pub fn table(&self) -> String {
        let mut text = "| Work | Measured | Goal |\n|---|---|---|\n".to_owned();
        for [what, figure, goal] in &self.0 {
            let _ = writeln!(text, "| {what} | {figure} | {goal} |");
        }
        text
    }
}

/// `1.23 s` or `45 ms`.
pub fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{:.1} ms", duration.as_secs_f64() * 1e3);
    }
    format!("{:.2} s", duration.as_secs_f64())
}

/// The one in the middle.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
