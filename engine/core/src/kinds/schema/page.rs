//! The page that describes every field of every kind, read from the schemas.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::generate::of_kind;
use crate::ids::DocumentKind;

/// The text of `docs/reference/documents.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Fields of the documents\n\n\
         Made from the types: `make schema` writes it. Editors read the same from `schema/`. \
         Every document has `apiVersion: berth.dev/v1alpha1`, `kind`, `metadata` and `spec`. \
         A field in **bold** is required.\n",
    );
    let metadata = of_kind(DocumentKind::Cluster);
    section(&mut page, &metadata, "metadata", "`metadata` of any kind");
    for kind in DocumentKind::BUILT {
        section(&mut page, &of_kind(kind), "spec", kind.as_str());
    }
    page
}

fn section(page: &mut String, schema: &Value, part: &str, title: &str) {
    let words = if part == "spec" {
        text(schema, "description")
    } else {
        ""
    };
    let table = Table {
        definitions: schema.get("$defs"),
    };
    let mut rows = Vec::new();
    table.fields(
        &schema["properties"][part],
        part,
        &mut rows,
        &mut Vec::new(),
    );
    let _ = write!(page, "\n## {title}\n");
    if !words.is_empty() {
        let _ = write!(page, "\n{words}\n");
    }
    page.push_str("\n| Field | Value | |\n|---|---|---|\n");
    for [field, value, words] in rows.iter().filter(|[_, value, _]| value != NOT_BUILT) {
        let _ = writeln!(page, "| {field} | {value} | {words} |");
    }
    let planned = rows.iter().filter(|[_, value, _]| value == NOT_BUILT);
    let planned: Vec<&str> = planned.map(|[field, ..]| field.as_str()).collect();
    if !planned.is_empty() {
        let _ = write!(
            page,
            "\nRefused until it is built: {}.\n",
            planned.join(", ")
        );
    }
}

const NOT_BUILT: &str = "not built";

/// A row: the field's path, what may stand there, what it means.
type Row = [String; 3];

struct Table<'a> {
    definitions: Option<&'a Value>,
}

impl<'a> Table<'a> {
    /// The rows of an object's fields, each followed by those below it. `within` are the types that
    /// we are in: one that holds itself is not entered twice.
    fn fields(
        &self,
        object: &'a Value,
        path: &str,
        rows: &mut Vec<Row>,
        within: &mut Vec<&'a str>,
    ) {
        let (resolved, name) = self.resolve(object);
        if name.is_some_and(|name| within.contains(&name)) {
            return;
        }
        within.extend(name);
        let required = resolved["required"].as_array();
        for (field, schema) in properties(resolved) {
            let bold = required.is_some_and(|all| all.iter().any(|one| one == field.as_str()));
            let below = format!("{path}.{field}");
            let shown = if bold {
                format!("**`{below}`**")
            } else {
                format!("`{below}`")
            };
            rows.push([shown, self.value(schema), escaped(self.description(schema))]);
            self.below(schema, &below, rows, within);
        }
        if name.is_some() {
            within.pop();
        }
    }

    fn below(&self, schema: &'a Value, path: &str, rows: &mut Vec<Row>, within: &mut Vec<&'a str>) {
        let resolved = self.resolve(schema).0;
        self.fields(schema, path, rows, within);
        if resolved["items"].is_object() {
            self.fields(&resolved["items"], &format!("{path}[]"), rows, within);
        }
        if resolved["additionalProperties"].is_object() {
            self.fields(
                &resolved["additionalProperties"],
                &format!("{path}.NAME"),
                rows,
                within,
            );
        }
    }

    /// A schema and the name of its type; a reference is followed.
    fn resolve(&self, schema: &'a Value) -> (&'a Value, Option<&'a str>) {
        let name = schema["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix("#/$defs/"));
        let found = name.and_then(|name| self.definitions?.get(name));
        (found.unwrap_or(schema), name)
    }

    /// The field's own words, else those of its type.
    fn description(&self, schema: &'a Value) -> &'a str {
        match text(schema, "description") {
            "" => text(self.resolve(schema).0, "description"),
            own => own,
        }
    }

    fn value(&self, schema: &'a Value) -> String {
        let resolved = self.resolve(schema).0;
        if resolved.get("not").is_some() {
            return NOT_BUILT.to_owned();
        }
        let mut words = self.shape(resolved);
        words.extend(range(resolved));
        let default = schema.get("default").or_else(|| resolved.get("default"));
        let plain =
            |value: &&Value| !matches!(value, Value::Null | Value::Array(_) | Value::Object(_));
        words.extend(
            default
                .filter(plain)
                .map(|value| format!("default `{}`", bare(value))),
        );
        escaped(&words.join(", "))
    }

    fn shape(&self, resolved: &'a Value) -> Vec<String> {
        if let Some(options) = resolved["oneOf"]
            .as_array()
            .or_else(|| resolved["enum"].as_array())
        {
            let names = options
                .iter()
                .map(|option| option.get("const").unwrap_or(option));
            let names: Vec<String> = names.map(|name| format!("`{}`", bare(name))).collect();
            return vec![names.join(" or ")];
        }
        if let Some(constant) = resolved.get("const") {
            return vec![format!("`{}`", bare(constant))];
        }
        let of = |key: &str| {
            resolved[key]
                .is_object()
                .then(|| self.value(&resolved[key]))
        };
        let one = |name: &Value| match name.as_str().unwrap_or_default() {
            "array" => of("items").map_or("list".to_owned(), |item| format!("list of {item}")),
            "object" => {
                of("additionalProperties").map_or("map".to_owned(), |item| format!("map to {item}"))
            }
            "string" => "text".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            other => other.to_owned(),
        };
        match &resolved["type"] {
            Value::Array(names) => vec![names.iter().map(one).collect::<Vec<_>>().join(" or ")],
            name @ Value::String(_) => vec![one(name)],
            _ => vec!["any value".to_owned()],
        }
    }
}

/// Numbers have their bounds; text its examples, if it has a form.
fn range(resolved: &Value) -> Option<String> {
    let number = resolved["type"] == "integer" || resolved["type"] == "number";
    match (resolved.get("minimum"), resolved.get("maximum")) {
        (Some(least), Some(most)) if number => Some(format!("{least} to {most}")),
        (Some(least), None) if number => Some(format!("at least {least}")),
        _ => {
            resolved.get("pattern")?;
            let examples = resolved["examples"].as_array()?;
            let examples: Vec<String> = examples
                .iter()
                .map(|one| format!("`{}`", bare(one)))
                .collect();
            Some(format!("such as {}", examples.join(", ")))
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(Map::iter)
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

fn bare(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A bar would end the cell.
fn escaped(words: &str) -> String {
    words.replace('|', "\\|").replace('\n', " ")
}
