//! The validator's errors in our own words, at their places.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::not_built;
use crate::diagnostic::{Code, Diagnostic, closest, cut};
use crate::ids::{DocumentKind, Name};
use crate::kinds::pod::{is_own_variable, own_variable};
use crate::object::{self, Key, Node};

/// What one error of the validator means for the author.
pub(super) fn explain(
    kind: DocumentKind,
    schema: &Value,
    document: &Node,
    error: &ValidationError<'_>,
) -> Vec<Diagnostic> {
    let found = Found::new(kind, schema, document, error);
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| found.unknown(name)).collect()
        }
        Kind::Required { property } => vec![found.missing(property.as_str().unwrap_or_default())],
        Kind::Not { .. } | Kind::FalseSchema => vec![found.not_built()],
        Kind::Type { kind } => vec![found.wrong_type(kind)],
        Kind::OneOfNotValid { context } => {
            let values: Vec<&Value> = context.iter().flatten().filter_map(constant).collect();
            vec![found.not_one_of(&values)]
        }
        Kind::Enum { options } => {
            vec![found.not_one_of(&options.as_array().into_iter().flatten().collect::<Vec<_>>())]
        }
        Kind::Constant { expected_value } => vec![found.not_one_of(&[expected_value])],
        Kind::Pattern { .. } => vec![found.not_matching()],
        other => vec![found.out_of_range(&limit(other))],
    }
}

/// What to write instead of a number that has a fraction.
fn whole(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.strip_suffix(".0") {
        Some(whole) => format!("write `{whole}`"),
        None => "write a whole number, without a point or an exponent".to_owned(),
    }
}

fn constant<'a>(error: &'a ValidationError<'_>) -> Option<&'a Value> {
    match error.kind() {
        Kind::Constant { expected_value } => Some(expected_value),
        _ => None,
    }
}

fn limit(kind: &Kind) -> String {
    match kind {
        Kind::Minimum { limit } => format!("it is at least {limit}"),
        Kind::Maximum { limit } => format!("it is at most {limit}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => {
            "it cannot be empty".to_owned()
        }
        Kind::MinLength { limit } => format!("it has at least {limit} characters"),
        Kind::MaxLength { limit } => format!("it has at most {limit} characters"),
        Kind::MinItems { limit } => format!("it has at least {limit} items"),
        Kind::MaxItems { limit } => format!("it has at most {limit} items"),
        Kind::MinProperties { limit } => format!("it has at least {limit} field"),
        Kind::MaxProperties { limit } => format!("it has at most {limit} field"),
        other => format!("it breaks the rule `{}`", other.keyword()),
    }
}

/// Where an error is: in the document, and in the schema.
struct Found<'a> {
    kind: DocumentKind,
    schema: &'a Value,
    path: String,
    node: &'a Node,
    key: Option<&'a Key>,
    /// The schema that the failed keyword stands in.
    rule: Option<&'a Value>,
    /// The name of the type that it stands in.
    owner: Option<String>,
}

impl<'a> Found<'a> {
    fn new(
        kind: DocumentKind,
        schema: &'a Value,
        document: &'a Node,
        error: &ValidationError<'_>,
    ) -> Self {
        let (path, node, key) = walk(document, error.instance_path().as_str());
        let keyword = error.schema_path().as_str();
        let rule = keyword
            .rsplit_once('/')
            .and_then(|(parent, _)| schema.pointer(parent));
        let owner = keyword
            .strip_prefix("/$defs/")
            .and_then(|rest| rest.split('/').next());
        Self {
            kind,
            schema,
            path,
            node,
            key,
            rule,
            owner: owner.map(ToOwned::to_owned),
        }
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let key = self
            .node
            .entries()
            .iter()
            .find(|(key, _)| &*key.name == name);
        let place = key.map_or(self.node.place, |(key, _)| key.place);
        let field = join(&self.path, name);
        let known = self.rule.map_or_else(Vec::new, fields);
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let help = match closest(name, names.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => match self.further_down(name, &known) {
                Some(path) => format!("did you mean `{path}`?"),
                None => format!("the fields here are {}", list(&names)),
            },
        };
        Diagnostic::error(
            Code::UnknownField,
            place,
            format!("{} has no field `{field}`", article(self.kind)),
        )
        .help(help)
    }

    /// The path of a field that is meant, if it stands one level below.
    fn further_down(&self, name: &str, known: &[(&str, &Value)]) -> Option<String> {
        known.iter().find_map(|(field, schema)| {
            let of = schema["$ref"].as_str()?.strip_prefix('#')?;
            let below = fields(self.schema.pointer(of)?);
            let close = closest(name, below.iter().map(|(name, _)| *name))?;
            Some(format!("{field}.{close}"))
        })
    }

    fn missing(&self, name: &str) -> Diagnostic {
        let place = self.key.map_or(self.node.place, |key| key.place);
        let field = join(&self.path, name);
        let finding = Diagnostic::error(Code::MissingField, place, format!("`{field}` is missing"));
        let schema = self.rule.and_then(|rule| rule["properties"].get(name));
        match schema.and_then(|schema| schema["description"].as_str()) {
            Some(words) => finding.help(format!("add `{name}`: {words}")),
            None => finding.help(format!("add `{name}`")),
        }
    }

    fn not_built(&self) -> Diagnostic {
        let place = self.key.map_or(self.node.place, |key| key.place);
        let words = self
            .rule
            .and_then(|rule| rule["description"].as_str())
            .unwrap_or("this is not built yet");
        let (cause, help) = words.split_once("; ").unwrap_or((words, "leave it out"));
        Diagnostic::error(Code::NotBuilt, place, format!("`{}`: {cause}", self.path)).help(help)
    }

    fn wrong_type(&self, kind: &TypeKind) -> Diagnostic {
        if let Some(finding) = self.own_variable() {
            return finding;
        }
        let names: Vec<&str> = match kind {
            TypeKind::Single(one) => vec![one.as_str()],
            TypeKind::Multiple(set) => set.iter().map(jsonschema::JsonType::as_str).collect(),
        };
        let wanted: Vec<&str> = names.iter().map(|name| words_of(name)).collect();
        let cause = format!(
            "`{}` is {}, it must be {}",
            self.path,
            is(self.node),
            wanted.join(" or ")
        );
        let finding = Diagnostic::error(Code::WrongType, self.node.place, cause);
        match &self.node.value {
            object::Value::Number(_) | object::Value::Bool(_)
                if names.contains(&"string") && self.quotes_would_do() =>
            {
                finding.help("quote it")
            }
            object::Value::String(text) if text.parse::<f64>().is_ok() => {
                finding.help("take the quotes off")
            }
            object::Value::Number(number) if names.contains(&"integer") => {
                finding.help(whole(number))
            }
            object::Value::Null => finding.help("give it a value, or leave the field out"),
            _ => match self.rule.and_then(|rule| rule["description"].as_str()) {
                Some(words) => finding.help(format!("{words}{}", self.examples())),
                None => finding,
            },
        }
    }

    /// Of a variable that is Berth's own, its value is not what is wrong.
    fn own_variable(&self) -> Option<Diagnostic> {
        let key = self.key.filter(|key| is_own_variable(&key.name))?;
        let at = format!("spec.environment.variables.{}", key.name);
        (self.path == at).then(|| {
            own_variable(&Node {
                value: object::Value::String(key.name.clone()),
                place: key.place,
            })
        })
    }

    fn not_one_of(&self, values: &[&Value]) -> Diagnostic {
        let place = self.node.place;
        let Some(text) = self.node.as_str() else {
            let cause = format!("`{}` is {}, it must be text", self.path, is(self.node));
            return Diagnostic::error(Code::WrongType, place, cause);
        };
        let owner = self.owner.as_deref();
        let unbuilt = |row: &&(&str, &str, &str)| Some(row.0) == owner && row.1 == text;
        if let Some((.., sentence)) = not_built::VALUES.iter().find(unbuilt) {
            let (cause, help) = sentence
                .split_once("; ")
                .unwrap_or((sentence, "leave it out"));
            return Diagnostic::error(Code::NotBuilt, place, cause).help(help);
        }
        let names: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
        let cause = format!("`{}` cannot be `{}`", self.path, cut(text));
        let help = match closest(text, names.iter().copied()) {
            Some(close) if names.len() > 1 => format!("did you mean `{close}`?"),
            _ => format!("write {}", list(&names)),
        };
        Diagnostic::error(Code::OutOfRange, place, cause).help(help)
    }

    fn not_matching(&self) -> Diagnostic {
        let text = self.node.as_str().unwrap_or_default();
        if self.owner.as_deref() == Some("Name") {
            let words = Name::new(text)
                .err()
                .map_or_else(String::new, |error| error.to_string());
            let cause = format!("`{}` is no name for `{}`: {words}", cut(text), self.path);
            let finding = Diagnostic::error(Code::InvalidName, self.node.place, cause);
            return match like(text) {
                Some(name) => finding.help(format!("write it as `{name}`, or take another name")),
                None => finding.help("take a name such as `resnet50`"),
            };
        }
        let cause = format!("`{}` cannot be `{}`", self.path, cut(text));
        let finding = Diagnostic::error(Code::OutOfRange, self.node.place, cause);
        match self.rule.and_then(|rule| rule["description"].as_str()) {
            Some(words) => finding.help(format!("{words}{}", self.examples())),
            None => finding,
        }
    }

    /// Whether the value as text would be right, as far as its own rule says.
    fn quotes_would_do(&self) -> bool {
        let text = match self.node.to_json() {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let rule = self
            .rule
            .and_then(|rule| jsonschema::validator_for(rule).ok());
        rule.is_none_or(|rule| rule.is_valid(&Value::String(text)))
    }

    fn out_of_range(&self, limit: &str) -> Diagnostic {
        let cause = format!("`{}` is out of range: {limit}", self.path);
        let finding = Diagnostic::error(Code::OutOfRange, self.node.place, cause);
        match self.rule.and_then(|rule| rule["description"].as_str()) {
            Some(words) => finding.help(format!("{words}{}", self.examples())),
            None => finding,
        }
    }

    fn examples(&self) -> String {
        let examples: Vec<String> = self
            .rule
            .and_then(|rule| rule["examples"].as_array())
            .into_iter()
            .flatten()
            .map(|example| {
                example
                    .as_str()
                    .map_or_else(|| example.to_string(), ToOwned::to_owned)
            })
            .collect();
        if examples.is_empty() {
            String::new()
        } else {
            format!(" For example {}", examples.join(", "))
        }
    }
}

/// The fields of an object that are built.
fn fields(schema: &Value) -> Vec<(&str, &Value)> {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let built = fields.filter(|(_, schema)| schema.get("not").is_none());
    built
        .map(|(name, schema)| (name.as_str(), schema))
        .collect()
}

/// Follows a path of the validator, a JSON pointer, through the document: a key may be empty, or
/// look like a number.
fn walk<'a>(document: &'a Node, path: &str) -> (String, &'a Node, Option<&'a Key>) {
    let (mut words, mut node, mut key) = (String::new(), document, None);
    for part in path.split('/').skip(1) {
        if let object::Value::List(items) = &node.value {
            words = format!("{words}[{part}]");
            let item = part.parse().ok().and_then(|index: usize| items.get(index));
            let Some(item) = item else {
                break;
            };
            (key, node) = (None, item);
        } else {
            let name = part.replace("~1", "/").replace("~0", "~");
            words = join(&words, &name);
            let mut entries = node.entries().iter();
            let Some(entry) = entries.find(|(key, _)| *key.name == *name) else {
                break;
            };
            (key, node) = (Some(&entry.0), &entry.1);
        }
    }
    (words, node, key)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn article(kind: DocumentKind) -> String {
    match kind {
        DocumentKind::Experiment => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a value is, for people.
fn is(node: &Node) -> &'static str {
    match &node.value {
        object::Value::Null => "empty",
        object::Value::Bool(_) => "true or false",
        object::Value::Number(_) => "a number",
        object::Value::String(_) => "text",
        object::Value::List(_) => "a list",
        object::Value::Map(_) => "a map",
    }
}

fn words_of(json_type: &str) -> &'static str {
    match json_type {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a map",
        _ => "empty",
    }
}

/// A name that is like this text.
fn like(text: &str) -> Option<Name> {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let text: String = text.chars().take(60).map(plain).collect();
    let text = text.trim_matches('-');
    let letter = if text.starts_with(|c: char| c.is_ascii_digit()) {
        "x"
    } else {
        ""
    };
    Name::new(&format!("{letter}{text}")).ok()
}
