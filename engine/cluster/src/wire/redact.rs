//! Takes what looks like a secret out of words that somebody else wrote.

const HIDDEN: &str = "<redacted>";

/// The same words without bearer tokens, JSON web tokens, passwords in URLs and PEM private keys.
/// It errs on the side of hiding too much. Layout is kept.
pub fn redact(words: &str) -> String {
    let words = hide_pem(words);
    let mut out = String::with_capacity(words.len());
    let mut after_bearer = false;
    for piece in words.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        out.push_str(&hide_word(word, after_bearer));
        out.push_str(&piece[word.len()..]);
        if !word.is_empty() {
            let label = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            after_bearer = ["bearer", "basic"]
                .iter()
                .any(|l| label.eq_ignore_ascii_case(l));
        }
    }
    out
}

fn hide_word(word: &str, after_bearer: bool) -> String {
    // "Basic" also begins sentences; only long words can be credentials.
    if after_bearer && word.len() >= 8 {
        return HIDDEN.into();
    }
    if let Some(start) = find_token(word) {
        let end = word[start..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.=".contains(c)))
            .map_or(word.len(), |length| start + length);
        return format!("{}{HIDDEN}{}", &word[..start], &word[end..]);
    }
    hide_url_password(word)
}

/// Where a JSON web token starts: its first part is a JSON object in base64.
fn find_token(word: &str) -> Option<usize> {
    let start = word.find("eyJ")?;
    let token = &word[start..];
    (token.len() > 20 && token.contains('.')).then_some(start)
}

fn hide_url_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.into();
    };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", &rest[at..]),
        None => word.into(),
    }
}

fn hide_pem(words: &str) -> String {
    let mut out = String::new();
    let mut rest = words;
    while let Some(start) = rest.find("-----BEGIN ").filter(|&at| {
        rest[at..]
            .split_once('\n')
            .map_or(&rest[at..], |(line, _)| line)
            .contains("PRIVATE KEY")
    }) {
        const END: &str = "PRIVATE KEY-----";
        out.push_str(&rest[..start]);
        out.push_str(HIDDEN);
        let block = &rest[start..];
        let end = block.find("-----END ").and_then(|at| {
            let tail = block[at..].find(END)?;
            Some(at + tail + END.len())
        });
        // Without an end everything that follows may be the key.
        rest = end.map_or("", |end| &block[end..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn hides_what_looks_like_a_secret_and_nothing_else() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";
        let cases = [
            ("pods \"a\" already exists", "pods \"a\" already exists"),
            (
                "Authorization: Bearer abcdefgh1234 x",
                "Authorization: Bearer <redacted> x",
            ),
            (&format!("got \"{token}\"."), "got \"<redacted>\"."),
            (
                "pull https://me:pw@host/x failed",
                "pull https://<redacted>@host/x failed",
            ),
            ("see https://host/a@b", "see https://host/a@b"),
            (
                "a -----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY----- b",
                "a <redacted> b",
            ),
            ("a -----BEGIN PRIVATE KEY-----\\nMHc", "a <redacted>"),
            ("  two  spaces\nand lines ", "  two  spaces\nand lines "),
        ];
        for (words, wanted) in cases {
            assert_eq!(redact(words), wanted);
        }
    }
}
