//! Label and field selectors.

use serde_json::Value;

use crate::failure::Failure;
use crate::kinds::Kind;
use crate::object;

/// Which objects a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Test {
    fn is_plain(&self) -> bool {
        let (Self::In(values) | Self::NotIn(values)) = self else {
            return true;
        };
        !values
            .iter()
            .any(|value| value.contains(['=', ' ', '(', ')']))
    }
}

impl Selector {
    /// Reads the two query parameters.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Failure> {
        let labels = terms(labels).into_iter().map(requirement);
        let labels: Option<Vec<Requirement>> = labels.collect();
        let labels = labels.ok_or_else(|| {
            Failure::bad_request("unable to parse requirement: found '=', expected: identifier")
        })?;
        let terms = fields.split(',').filter(|term| !term.is_empty());
        let fields = terms
            .map(|term| field(kind, term))
            .collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether it lets everything pass.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels
            .iter()
            .all(|requirement| requirement.holds(object))
            && self
                .fields
                .iter()
                .all(|(path, equal, wanted)| (field_value(object, path) == *wanted) == *equal)
    }
}

impl Requirement {
    fn holds(&self, object: &Value) -> bool {
        let value = object::at(object, &["metadata", "labels", &self.key]).and_then(Value::as_str);
        let listed =
            |values: &[String]| value.is_some_and(|value| values.iter().any(|v| v == value));
        let number = |value: Option<&str>| value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => listed(values),
            Test::NotIn(values) => !listed(values),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Above(least) => number(value).is_some_and(|number| number > *least),
            Test::Below(most) => number(value).is_some_and(|number| number < *most),
        }
    }
}

/// Splits at commas outside parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let split = text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    split
        .map(str::trim)
        .filter(|term| !term.is_empty())
        .collect()
}

fn requirement(term: &str) -> Option<Requirement> {
    let (key, test) = if let Some((key, value)) = term.split_once("!=") {
        (key, Test::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (key, Test::In(vec![value.trim().to_owned()]))
    } else if let Some((key, values)) = term
        .split_once(" notin ")
        .or_else(|| term.split_once(" notin("))
    {
        (key, Test::NotIn(set(values)))
    } else if let Some((key, values)) = term.split_once(" in ").or_else(|| term.split_once(" in("))
    {
        (key, Test::In(set(values)))
    } else if let Some((key, least)) = term.split_once('>') {
        (key, Test::Above(least.trim().parse().ok()?))
    } else if let Some((key, most)) = term.split_once('<') {
        (key, Test::Below(most.trim().parse().ok()?))
    } else if let Some(key) = term.strip_prefix('!') {
        (key, Test::Absent)
    } else {
        (term, Test::Exists)
    };
    let key = key.trim();
    let plain = !key.is_empty() && !key.contains([' ', '(', ')']) && test.is_plain();
    plain.then(|| Requirement {
        key: key.to_owned(),
        test,
    })
}

fn set(values: &str) -> Vec<String> {
    let values = values.trim().trim_start_matches('(').trim_end_matches(')');
    values
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect()
}

fn field(kind: &Kind, term: &str) -> Result<(String, bool, String), Failure> {
    let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
        (path, false, value)
    } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (path, true, value)
    } else {
        return Err(Failure::bad_request(format!(
            "invalid selector: '{term}'; can't understand '{term}'"
        )));
    };
    if kind.selectable(path) {
        return Ok((path.to_owned(), equal, value.to_owned()));
    }
    // Kinds without fields of their own have other words for it.
    let words = if kind.has_own_fields() {
        format!("field label not supported: {path}")
    } else {
        format!(
            "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        )
    };
    Err(Failure::bad_request(words))
}

fn field_value(object: &Value, path: &str) -> String {
    let keys: Vec<&str> = path.split('.').collect();
    match object::at(object, &keys) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) if path == "spec.unschedulable" || path == "spec.hostNetwork" => {
            "false".to_owned()
        }
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use serde_json::json;

    fn matches(labels: &str, fields: &str) -> bool {
        let kinds = Kinds::built_in();
        let pods = kinds.find("", "v1", "pods").unwrap();
        let pod = json!({
            "metadata": {"name": "x", "labels": {"app": "a", "berth.dev/run": "3"}},
            "spec": {"nodeName": "n1"}, "status": {"phase": "Running"},
        });
        Selector::parse(&pods, labels, fields)
            .unwrap()
            .matches(&pod)
    }

    #[test]
    fn labels() {
        let cases = [
            ("app=a", true),
            ("app==a,berth.dev/run=3", true),
            ("app!=a", false),
            ("other!=a", true),
            ("app in (b, a),berth.dev/run", true),
            ("berth.dev/run>2", true),
            ("berth.dev/run<3", false),
            ("app>0", false),
            ("app notin (a,b)", false),
            ("!other", true),
            ("!app", false),
            ("", true),
        ];
        for (text, expected) in cases {
            assert_eq!(matches(text, ""), expected, "{text}");
        }
    }

    #[test]
    fn fields() {
        let cases = [
            ("metadata.name=x", true),
            ("spec.nodeName!=n1", false),
            ("status.phase=Running,metadata.name=x", true),
            ("spec.hostNetwork=false", true),
        ];
        for (text, expected) in cases {
            assert_eq!(matches("", text), expected, "{text}");
        }
    }
}
