//! A diagnostic with its places looked up: what all output formats are made from.

use berth_core::diagnostic::{Code, Diagnostic, Severity, SourceTable};
use berth_core::ids::UnitId;
use berth_core::object::Place;

/// Lines longer than this are not shown, only named: nobody reads them on a terminal.
const MAX_SHOWN: usize = 500;

/// A place in a file, and the line there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Spot {
    /// The file, from the root of the repository.
    pub path: String,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// The line, and which bytes of it are meant; `None` if it is too long to show.
    #[serde(skip)]
    pub excerpt: Option<(String, std::ops::Range<usize>)>,
}

/// Another place that matters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub spot: Spot,
    /// Why it matters.
    pub message: String,
}

/// One finding, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its stable code.
    pub code: Code,
    /// What the code means.
    pub title: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// The document, if it could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<UnitId>,
    /// Where; `None` for the repository as a whole.
    #[serde(flatten)]
    pub spot: Option<Spot>,
    /// What is wrong.
    pub message: String,
    /// The next thing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Finding {
    /// Looks up the places of a diagnostic. `text` gives the text of a source.
    pub fn resolve<'a>(
        diagnostic: &Diagnostic,
        sources: &SourceTable,
        text: &dyn Fn(&berth_core::diagnostic::Source) -> Option<&'a str>,
    ) -> Self {
        let spot = |place: Place| {
            let source = sources.get(place.source)?;
            Some(Spot::new(&source.path, place, text(source)))
        };
        let related = diagnostic.related.iter().filter_map(|(place, words)| {
            Some(Related {
                spot: spot(*place)?,
                message: words.clone(),
            })
        });
        Self {
            code: diagnostic.code,
            title: diagnostic.code.title(),
            severity: diagnostic.severity,
            document: diagnostic.unit.clone(),
            spot: diagnostic.place.and_then(spot),
            message: diagnostic.cause.clone(),
            help: diagnostic.help.clone(),
            related: related.collect(),
        }
    }

    /// `path:line:column`, as log lines say it; empty for the repository as a whole.
    pub fn at(&self) -> String {
        let text = |spot: &Spot| format!("{}:{}:{}", spot.path, spot.line, spot.column);
        self.spot.as_ref().map(text).unwrap_or_default()
    }

    /// All of it in one line, without the line of the file.
    pub fn line(&self) -> String {
        let at = match &self.spot {
            Some(_) => format!("{}: ", self.at()),
            None => String::new(),
        };
        let help = self.help.as_ref().map(|help| format!("; {help}"));
        let help = help.unwrap_or_default();
        format!("{at}{}: {}{help}", self.code, self.message)
    }

    /// Whether it keeps its document from being applied.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Spot {
    fn new(path: &str, place: Place, text: Option<&str>) -> Self {
        let span = place.span;
        let excerpt = text.and_then(|text| excerpt(text, span.start as usize, span.end as usize));
        Self {
            path: path.into(),
            line: span.line.max(1),
            column: span.column.max(1),
            excerpt,
        }
    }
}

/// The line that holds byte `start`, and the part of `start..end` that lies on it.
fn excerpt(text: &str, start: usize, end: usize) -> Option<(String, std::ops::Range<usize>)> {
    let before = text.get(..start)?;
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text.get(from..to)?.trim_end_matches('\r');
    if line.len() > MAX_SHOWN {
        return None;
    }
    let first = (start - from).min(line.len());
    let last = end
        .max(start)
        .min(to)
        .saturating_sub(from)
        .clamp(first, line.len());
    let last = (first..=last).rev().find(|at| line.is_char_boundary(*at))?;
    Some((line.to_owned(), first..last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_and_its_part() {
        let table = [
            ("a: 1\nb: 2\n", 8, 9, Some(("b: 2", 3..4))),
            ("a: 1\r\nb: 2\r\n", 3, 4, Some(("a: 1", 3..4))),
            ("a:\n  b: 1\n  c: 2\n", 5, 16, Some(("  b: 1", 2..6))),
            ("ä: ö", 4, 6, Some(("ä: ö", 4..6))),
            ("", 0, 0, Some(("", 0..0))),
            ("short", 9, 10, None),
            ("ä", 1, 2, None),
        ];
        for (text, start, end, wanted) in table {
            let got = excerpt(text, start, end);
            let got = got
                .as_ref()
                .map(|(line, part)| (line.as_str(), part.clone()));
            assert_eq!(got, wanted, "{text:?} {start}..{end}");
        }
        assert_eq!(excerpt(&"[".repeat(20_000), 300, 301), None);
    }
}
