//! Which names, keys and values the real server takes, and its words for the others.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const KEY: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
    must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
    validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const DATA_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
    or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// The words for what is wrong with a text; none if it is fine.
type Words = Vec<String>;

/// A name as most kinds have it: RFC 1123 labels joined by dots.
pub(super) fn subdomain(text: &str) -> Words {
    words(text, 253, "characters", is_subdomain(text), SUBDOMAIN)
}

/// A name that is one label of a host's name: a namespace, a container, a service.
pub(super) fn label(text: &str) -> Words {
    let why = if is_subdomain(text) {
        "must not contain dots"
    } else {
        LABEL
    };
    words(text, 63, "characters", is_label(text), why)
}

/// The key of a label or an annotation, and the name of a finalizer: `example.com/name`, `name`.
pub(super) fn key(text: &str) -> Words {
    let mut parts = text.split('/');
    let (first, second, more) = (parts.next(), parts.next(), parts.next());
    let (prefix, name) = match (first, second, more) {
        (Some(name), None, _) => (None, name),
        (prefix, Some(name), None) => (prefix, name),
        _ => {
            let tail = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {KEY} {tail}")];
        }
    };
    let mut found = match prefix {
        None => Vec::new(),
        Some("") => vec!["prefix part must be non-empty".to_owned()],
        Some(prefix) => prefixed(
            "prefix part ",
            words(prefix, 253, "bytes", is_subdomain(prefix), SUBDOMAIN),
        ),
    };
    if name.is_empty() {
        found.push("name part must be non-empty".to_owned());
    }
    found.extend(prefixed(
        "name part ",
        words(name, 63, "bytes", is_word(name), KEY),
    ));
    found
}

/// The value of a label.
pub(super) fn value(text: &str) -> Words {
    let fits = text.is_empty() || is_word(text);
    words(text, 63, "bytes", fits, VALUE)
}

/// The key of a `ConfigMap`'s or a Secret's entry.
pub(super) fn data_key(text: &str) -> Words {
    let fits = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let mut found = words(text, 253, "characters", fits, DATA_KEY);
    if text == "." || text == ".." {
        found.push(format!("must not be '{text}'"));
    } else if text.starts_with("..") {
        found.push("must not start with '..'".to_owned());
    }
    found
}

/// A name that only must fit into a path.
pub(super) fn segment(text: &str) -> Words {
    match text {
        "." | ".." => vec![format!("may not be '{text}'")],
        text => ["/", "%"]
            .into_iter()
            .filter(|part| text.contains(part))
            .map(|part| format!("may not contain '{part}'"))
            .collect(),
    }
}

/// The real server counts bytes, whatever it calls them.
fn words(text: &str, longest: usize, unit: &str, fits: bool, why: &str) -> Words {
    let mut found = Vec::new();
    if text.len() > longest {
        found.push(format!("must be no more than {longest} {unit}"));
    }
    if !fits {
        found.push(why.to_owned());
    }
    found
}

fn prefixed(prefix: &str, words: Words) -> Words {
    words
        .into_iter()
        .map(|word| format!("{prefix}{word}"))
        .collect()
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.bytes().all(inner) && has_ends(text, |b| b != b'-')
}

fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    text.bytes().all(inner) && has_ends(text, |b| b.is_ascii_alphanumeric())
}

fn has_ends(text: &str, fits: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|&b| fits(b)) && bytes.last().is_some_and(|&b| fits(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "a-b.c", "1", "example.com"] {
            assert_eq!(subdomain(good), [""; 0], "{good}");
        }
        for bad in ["", "A", "a.", "-a", "a..b", "a_b"] {
            assert_eq!(subdomain(bad), [SUBDOMAIN], "{bad}");
        }
        assert_eq!(label("a.b"), ["must not contain dots"]);
        assert_eq!(
            label(&"a".repeat(64)),
            ["must be no more than 63 characters"]
        );
    }

    #[test]
    fn keys_and_values() {
        for good in ["a", "example.com/a_B.c", "A"] {
            assert_eq!(key(good), [""; 0], "{good}");
        }
        assert_eq!(key("/a"), ["prefix part must be non-empty"]);
        assert_eq!(
            key("a/").first().map(String::as_str),
            Some("name part must be non-empty")
        );
        assert!(key("a/b/c")[0].starts_with("a valid label key must consist"));
        assert_eq!(value(""), [""; 0]);
        assert_eq!(value("not a value"), [VALUE]);
    }
}
