//! The table.

use std::fmt::Write as _;
use std::time::Duration;

/// Rows of what was measured; each is told as soon as it is known.
#[derive(Debug, Default)]
pub struct Report(Vec<Part>);

/// What was measured on one server.
#[derive(Debug)]
struct Part {
    title: String,
    rows: Vec<[String; 5]>,
}

impl Report {
    /// From now on, rows are about this.
    pub fn begin(&mut self, title: impl Into<String>) {
        let title = title.into();
        eprintln!("{title}");
        let rows = Vec::new();
        self.0.push(Part { title, rows });
    }

    /// A figure without a goal.
    pub fn tell(&mut self, what: impl Into<String>, figure: impl Into<String>) {
        let (what, figure): (String, String) = (what.into(), figure.into());
        self.add([what.as_str(), &figure, "", "", ""].map(Into::into));
    }

    /// A figure, the goal, and whether it was met.
    pub fn judge(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        goal: &str,
        met: bool,
    ) {
        let (what, figure): (String, String) = (what.into(), figure.into());
        self.add([what.as_str(), &figure, "", goal, verdict(met)].map(Into::into));
    }

    /// A figure, how often it is that of somebody else, and how often it may be.
    pub fn compare(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        ratio: f64,
        most: Option<f64>,
    ) {
        let (what, figure): (String, String) = (what.into(), figure.into());
        let ratio_text = format!("{ratio:.2}");
        let goal = most.map_or_else(String::new, |most| format!("≤ {most} times"));
        let met = most.map_or("", |most| verdict(ratio <= most));
        self.add([what.as_str(), &figure, &ratio_text, &goal, met].map(Into::into));
    }

    fn add(&mut self, row: [String; 5]) {
        eprintln!("  {}", row.join(" | ").trim_end_matches([' ', '|']));
        if let Some(part) = self.0.last_mut() {
            part.rows.push(row);
        }
    }

    /// All of it, as Markdown.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for part in &self.0 {
            let _ = writeln!(text, "\n### {}", part.title);
            if !part.rows.is_empty() {
                text.push_str("\n| Work | Measured | Ratio | Goal | |\n|---|---|---|---|---|\n");
            }
            for row in &part.rows {
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
        }
        text
    }
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

/// `1.23 s` or `45.0 ms`.
pub fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{:.1} ms", duration.as_secs_f64() * 1e3);
    }
    format!("{:.2} s", duration.as_secs_f64())
}

/// How often one is the other.
pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-6)
}

/// The one in the middle.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
