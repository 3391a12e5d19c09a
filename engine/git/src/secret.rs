//! A token or password: never shown, and taken out of the words of others.

use std::fmt;

/// What is shown instead.
const HIDDEN: &str = "***";
/// Shorter ones are not searched for: every text holds them by chance.
const SHORTEST: usize = 4;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    encoded: String,
    /// The forms in which a server or a program could say it.
    forms: Vec<String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Secret {
    /// Of a plain text.
    pub(crate) fn of(plain: &str) -> Self {
        let encoded = percent(plain);
        let forms = vec![plain.to_owned(), encoded.clone()];
        Self { encoded, forms }
    }

    /// Of a text that stood in a URL.
    pub(crate) fn of_url(encoded: &str) -> Self {
        let plain = decoded(encoded);
        Self {
            encoded: encoded.to_owned(),
            forms: vec![plain, encoded.to_owned()],
        }
    }

    /// Also the form in which http sends it: `user:secret` in base64.
    pub(crate) fn of_user(mut self, user: &str) -> Self {
        let plain = self.forms.first().map_or("", String::as_str);
        let pair = format!("{}:{plain}", decoded(user));
        let sent = base64(pair.as_bytes());
        self.forms.push(sent);
        self
    }

    /// As it stands in a URL.
    pub(crate) fn percent_encoded(&self) -> &str {
        &self.encoded
    }

    /// The text without it.
    pub(crate) fn hide(&self, text: String) -> String {
        let long = self.forms.iter().filter(|form| form.len() >= SHORTEST);
        long.fold(text, |text, form| text.replace(form.as_str(), HIDDEN))
    }
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) {
            char::from(byte).into()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (byte, behind) = match byte.filter(|_| *first == b'%') {
            Some(byte) => (byte, &tail[2..]),
            None => (*first, tail),
        };
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_it_is_hidden() {
        let secret = Secret::of("s3cret/%").of_user("x-access-token");
        let sent = "eC1hY2Nlc3MtdG9rZW46czNjcmV0LyU=";
        let said = format!("plain s3cret/%, url s3cret%2F%25, header {sent}");
        assert_eq!(secret.hide(said), "plain ***, url ***, header ***");
        let secret = Secret::of_url("hun%2Fter2").of_user("ada");
        assert_eq!(secret.percent_encoded(), "hun%2Fter2");
        assert_eq!(secret.hide("hun/ter2 hun%2Fter2".into()), "*** ***");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(Secret::of("a").hide("banana".into()), "banana");
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text.as_bytes()), want);
        }
    }
}
