//! Findings as rustc prints them: file, line, column, the line itself, related places, `help:`.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use berth_core::diagnostic::Severity;

use super::finding::{Finding, Spot};

/// All findings, a blank line between them, for a terminal of so many columns. Colours are always
/// in it: the writer strips them.
pub fn findings(findings: &[Finding], columns: usize) -> String {
    let renderer = Renderer::styled().term_width(columns);
    let mut text = String::new();
    for finding in findings {
        text.push_str(&renderer.render(&report(finding)));
        text.push_str("\n\n");
    }
    text
}

/// The closing line: how much was read, and how many findings there are.
pub fn summary(documents: usize, findings: &[Finding]) -> String {
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

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn report(finding: &Finding) -> Vec<Group<'_>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(&*finding.message)
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
    if let Some(help) = &finding.help {
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
    group.element(snippet.annotation(kind.span(part.clone()).label(label)))
}
