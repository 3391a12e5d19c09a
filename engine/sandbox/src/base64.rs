//! Base64, as Secrets and continue tokens need it.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The standard alphabet, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

/// The bytes of a standard base64 text; `None` if it is none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes();
    let digits: Option<Vec<usize>> = digits
        .map(|b| LETTERS.iter().position(|l| *l == b))
        .collect();
    let mut bytes = Vec::new();
    for chunk in digits?.chunks(4) {
        let bits =
            chunk.iter().fold(0, |bits, digit| bits << 6 | *digit) << (6 * (4 - chunk.len()));
        let all =
            [bits >> 16, bits >> 8, bits].map(|byte| u8::try_from(byte & 255).unwrap_or_default());
        bytes.extend_from_slice(all.get(..chunk.len().checked_sub(1)?)?);
    }
    Some(bytes)
}

/// Where a text ceases to be base64, as the real server counts; `None` if it is.
pub(crate) fn fault(text: &str) -> Option<usize> {
    let text = text.trim_end_matches(['\r', '\n']);
    let letters = text.trim_end_matches('=');
    let illegal = letters.bytes().position(|b| !LETTERS.contains(&b));
    let padding = text.len() - letters.len();
    let whole = text.len().is_multiple_of(4) && padding <= 2;
    illegal.or_else(|| (!whole).then_some(text.len() - text.len() % 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for text in ["", "a", "ab", "abc", "abcd", "hello, berth"] {
            assert_eq!(
                decode(&encode(text.as_bytes())),
                Some(text.as_bytes().to_vec())
            );
        }
        assert_eq!(encode(b"ab"), "YWI=");
        assert_eq!(decode("a~"), None);
    }

    #[test]
    fn faults() {
        let cases = [
            ("", None),
            ("YWI=", None),
            ("not base64!", Some(3)),
            ("YWJjZ", Some(4)),
        ];
        for (text, at) in cases {
            assert_eq!(fault(text), at, "{text}");
        }
    }
}
