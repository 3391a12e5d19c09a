//! Text for people, without what a terminal would obey but colours.

use std::borrow::Cow;

use berth_core::diagnostic::lines;

/// The text with its own colours (`ESC [ numbers m`); whatever else a terminal obeys is shown.
pub fn safe(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("\u{1b}[");
    let first = lines(parts.next().unwrap_or_default());
    parts.fold(first, |mut shown, part| {
        let end = part.find(|one: char| !one.is_ascii_digit() && one != ';');
        let colour = end.filter(|end| part[*end..].starts_with('m'));
        let (colour, rest) = part.split_at(colour.map_or(0, |end| end + 1));
        let opens = if colour.is_empty() {
            "\\u001b["
        } else {
            "\u{1b}["
        };
        let shown_mut = shown.to_mut();
        shown_mut.push_str(opens);
        shown_mut.push_str(colour);
        shown_mut.push_str(&lines(rest));
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn colours_stay_and_nothing_else() {
        let table = [
            ("plain\n", "plain\n"),
            ("\u{1b}[1;31mred\u{1b}[0m\n", "\u{1b}[1;31mred\u{1b}[0m\n"),
            ("\u{1b}[2Jgone", "\\u001b[2Jgone"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            ("\u{9b}31m\u{1b}[", "\\u009b31m\\u001b["),
        ];
        for (text, shown) in table {
            assert_eq!(safe(text), shown);
        }
    }
}
