//! Lines that fit a terminal.

/// Breaks lines longer than `columns` between words; what goes on stands a little deeper. A word
/// that is too long stays whole. Colours take no room.
pub fn lines(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else {
        return text.to_owned();
    };
    let broken = text.split('\n').map(|line| {
        if width(line) <= columns {
            return line.to_owned();
        }
        let own = line.len() - line.trim_start_matches(' ').len();
        let below = own + hanging(line.trim_start_matches(' '));
        words(line.trim_start_matches(' '), columns, own, below)
            .join(&format!("\n{}", " ".repeat(below)))
            .replacen("", &" ".repeat(own), 1)
    });
    broken.collect::<Vec<_>>().join("\n")
}

/// Text in lines of at most `columns`, of which `first` are taken in the first line and `below` in
/// the others.
pub fn words(text: &str, columns: usize, first: usize, below: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = first;
    for word in text.split(' ') {
        let long = width(word);
        let Some(line) = lines.last_mut() else {
            break;
        };
        let begins = line.is_empty();
        if !begins && used + 1 + long > columns {
            lines.push(word.to_owned());
            used = below + long;
        } else {
            if !begins {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += long;
        }
    }
    lines
}

/// How much deeper the rest of a line stands: below the words of `help: words`, else a little.
fn hanging(line: &str) -> usize {
    let plain = strip(line);
    match plain.split_once(": ") {
        Some((label @ ("error" | "warning" | "help" | "note" | "because"), _)) => label.len() + 2,
        _ => 4,
    }
}

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    strip(text).chars().count()
}

fn strip(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        let table = [
            ("short", 40, "short"),
            ("one two three four", 10, "one two\n    three\n    four"),
            (
                "help: one two three",
                12,
                "help: one\n      two\n      three",
            ),
            ("  x: one two three", 14, "  x: one two\n      three"),
            (
                "a/very/long/path.yaml:12 x",
                10,
                "a/very/long/path.yaml:12\n    x",
            ),
            ("one\n\ntwo\n", 10, "one\n\ntwo\n"),
            ("\u{1b}[1mone\u{1b}[0m two", 7, "\u{1b}[1mone\u{1b}[0m two"),
        ];
        for (text, columns, wanted) in table {
            assert_eq!(lines(text, Some(columns)), wanted);
            assert_eq!(lines(text, None), text);
        }
    }
}
