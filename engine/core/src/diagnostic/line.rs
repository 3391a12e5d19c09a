//! What others wrote, on a line of ours.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text as a part of one line: a line end, or whatever else a terminal obeys, is shown as JSON
/// escapes it.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// The text of several lines, without whatever else a terminal obeys.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |one| matches!(one, '\n' | '\t'))
}

/// The controls of both sets, and what ends a line or turns the order of the letters about.
fn is_obeyed(one: char) -> bool {
    one.is_control()
        || matches!(one, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let bad = |one: char| is_obeyed(one) && !stays(one);
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for one in text.chars() {
        match one {
            _ if !bad(one) => shown.push(one),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            other => {
                let _ = write!(shown, "\\u{:04x}", u32::from(other));
            }
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        let table = [
            ("plain ä 木", "plain ä 木"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[31mred", "\\u001b[31mred"),
            ("\u{9b}31m\u{7f}", "\\u009b31m\\u007f"),
            ("\u{202e}x\u{2066}\u{2028}", "\\u202ex\\u2066\\u2028"),
        ];
        for (text, shown) in table {
            assert_eq!(one_line(text), shown);
        }
        assert_eq!(lines("a\n\tb\u{1b}c\r\n"), "a\n\tb\\u001bc\\r\n");
    }
}
