//! Findings as rustc prints them: file, line, column, the line itself, related places, `help:`.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use berth_core::diagnostic::Severity;

use super::finding::{Finding, Spot};
use super::wrap;

/// Of a long value so many characters are marked: it is known by its beginning, and the line is cut
/// around the mark.
const MARKED: usize = 40;
/// Lines of a source that go to a file or a pipe are cut beyond this.
const WIDE: usize = 600;

/// All findings, a blank line after each, for a terminal of so many columns. Colours are always
/// in it: the writer strips them.
pub fn findings(findings: &[Finding], columns: Option<usize>) -> String {
    let renderer = Renderer::styled().term_width(columns.unwrap_or(WIDE));
    let mut text = String::new();
    for finding in findings {
        text.push_str(&renderer.render(&report(&Fitted::of(finding, columns))));
        text.push_str("\n\n");
    }
    text
}

/// A finding with its words in lines that fit.
struct Fitted<'a> {
    finding: &'a Finding,
    message: String,
    help: Option<String>,
}

impl<'a> Fitted<'a> {
    fn of(finding: &'a Finding, columns: Option<usize>) -> Self {
        let fit = |text: &str, taken: usize| match columns {
            Some(columns) => wrap::words(text, columns, taken, taken).join("\n"),
            None => text.to_owned(),
        };
        let level = if finding.is_error() {
            "error"
        } else {
            "warning"
        };
        let title = format!("{level}[{}]: ", finding.code);
        let related = finding.related.iter().map(|related| &related.spot);
        let lines = finding.spot.iter().chain(related).map(|spot| spot.line);
        // The margin is as wide as the largest line number.
        let margin = lines.max().unwrap_or(0).to_string().len();
        Self {
            finding,
            message: fit(&finding.message, title.len()),
            help: finding
                .help
                .as_deref()
                .map(|help| fit(help, margin + " = help: ".len())),
        }
    }
}

/// The closing line: how much was read, how many findings there are, and how many documents were
/// not checked within what they refer to.
pub fn summary(documents: usize, unchecked: usize, findings: &[Finding]) -> String {
    let mut text = counts(documents, findings);
    if unchecked > 0 {
        let (refer, are) = if unchecked == 1 {
            ("refers", "is")
        } else {
            ("refer", "are")
        };
        text = format!(
            "{}; {} that {refer} to what is invalid {are} checked further once it is mended\n",
            text.trim_end(),
            count(unchecked, "document")
        );
    }
    text
}

fn counts(documents: usize, findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    let read = count(documents, "document");
    match (errors, warnings) {
        (0, 0) => format!("{}{read}, all valid{:#}\n", super::GREEN, super::GREEN),
        (0, _) => format!("{read}, all valid, {}\n", count(warnings, "warning")),
        (_, 0) => format!("{read}, {}\n", count(errors, "error")),
        _ => format!(
            "{read}, {}, {}\n",
            count(errors, "error"),
            count(warnings, "warning")
        ),
    }
}

/// `1 pod`, `2 pods`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn report<'a>(fitted: &'a Fitted<'_>) -> Vec<Group<'a>> {
    let finding = fitted.finding;
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(&*fitted.message)
        .id(finding.code.as_str());
    let mut group = Group::with_title(title);
    if let Some(spot) = &finding.spot {
        group = place(group, spot, AnnotationKind::Primary, None);
    }
    for related in &finding.related {
        group = place(
            group,
            &related.spot,
            AnnotationKind::Context,
            Some(&related.message),
        );
    }
    if let Some(help) = &fitted.help {
        group = group.element(Level::HELP.message(&**help));
    }
    vec![group]
}

fn place<'a>(
    group: Group<'a>,
    spot: &'a Spot,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Group<'a> {
    let Some((line, part)) = &spot.excerpt else {
        let origin = Origin::path(&*spot.path).line(spot.line as usize);
        return group.element(origin.char_column(spot.column as usize));
    };
    let snippet = Snippet::source(&**line)
        .line_start(spot.line as usize)
        .path(&*spot.path);
    let marked = line.get(part.clone()).unwrap_or_default();
    let end = marked.char_indices().nth(MARKED).map(|(at, _)| at);
    let end = part.start + end.unwrap_or(marked.len());
    group.element(snippet.annotation(kind.span(part.start..end).label(label)))
}
