//! Protobuf bodies, as `kubectl create` sends them: as much as its generators write.

use serde_json::{Map, Value, json};

use crate::base64;
use crate::object::text;
use crate::request::Request;

/// The media type that kubectl gives such bodies.
pub(super) const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// The type of a field.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Bytes,
    Number,
    Flag,
    Message(Fields),
    Map(&'static Type),
    List(&'static Type),
    /// A message of one text.
    Quantity,
}

/// The fields of a message: number, name, type.
type Fields = &'static [(u64, &'static str, Type)];

const TEXTS: Type = Type::Map(&Type::Text);
const LINES: Type = Type::List(&Type::Text);

const META: Fields = &[
    (1, "name", Type::Text),
    (2, "generateName", Type::Text),
    (3, "namespace", Type::Text),
    (11, "labels", TEXTS),
    (12, "annotations", TEXTS),
];
const METADATA: (u64, &str, Type) = (1, "metadata", Type::Message(META));
const RULE: Fields = &[
    (1, "verbs", LINES),
    (2, "apiGroups", LINES),
    (3, "resources", LINES),
    (4, "resourceNames", LINES),
    (5, "nonResourceURLs", LINES),
];
const SUBJECT: Fields = &[
    (1, "kind", Type::Text),
    (2, "apiGroup", Type::Text),
    (3, "name", Type::Text),
    (4, "namespace", Type::Text),
];
const ROLE_REF: Fields = &[
    (1, "apiGroup", Type::Text),
    (2, "kind", Type::Text),
    (3, "name", Type::Text),
];
const ACCESS: Fields = &[
    (1, "namespace", Type::Text),
    (2, "verb", Type::Text),
    (3, "group", Type::Text),
    (4, "version", Type::Text),
    (5, "resource", Type::Text),
    (6, "subresource", Type::Text),
    (7, "name", Type::Text),
];

/// The fields of the kinds that kubectl's generators write.
fn fields(kind: &str) -> Option<Fields> {
    Some(match kind {
        "Namespace" | "ServiceAccount" => &[METADATA],
        "ConfigMap" => &[
            METADATA,
            (2, "data", TEXTS),
            (3, "binaryData", Type::Map(&Type::Bytes)),
        ],
        "Secret" => &[
            METADATA,
            (2, "data", Type::Map(&Type::Bytes)),
            (3, "type", Type::Text),
            (4, "stringData", TEXTS),
        ],
        "ResourceQuota" => &[
            METADATA,
            (
                2,
                "spec",
                Type::Message(&[
                    (1, "hard", Type::Map(&Type::Quantity)),
                    (2, "scopes", LINES),
                ]),
            ),
        ],
        "PriorityClass" => &[
            METADATA,
            (2, "value", Type::Number),
            (3, "globalDefault", Type::Flag),
            (4, "description", Type::Text),
            (5, "preemptionPolicy", Type::Text),
        ],
        "Role" | "ClusterRole" => &[METADATA, (2, "rules", Type::List(&Type::Message(RULE)))],
        "RoleBinding" | "ClusterRoleBinding" => &[
            METADATA,
            (2, "subjects", Type::List(&Type::Message(SUBJECT))),
            (3, "roleRef", Type::Message(ROLE_REF)),
        ],
        "SelfSubjectAccessReview" => &[
            METADATA,
            (
                2,
                "spec",
                Type::Message(&[(1, "resourceAttributes", Type::Message(ACCESS))]),
            ),
        ],
        _ => return None,
    })
}

/// The same request with a JSON body; `None` if the body is of another kind or damaged.
pub(super) fn translated(request: &Request) -> Option<Request> {
    const ENVELOPE: Fields = &[
        (
            1,
            "type",
            Type::Message(&[(1, "apiVersion", Type::Text), (2, "kind", Type::Text)]),
        ),
        (2, "raw", Type::Bytes),
    ];
    let envelope = message(request.body.strip_prefix(b"k8s\0")?, ENVELOPE)?;
    let raw = base64::decode(text(&envelope, &["raw"]))?;
    let mut object = message(&raw, fields(text(&envelope, &["type", "kind"]))?)?;
    object["apiVersion"] = envelope["type"]["apiVersion"].clone();
    object["kind"] = envelope["type"]["kind"].clone();
    Some(request.clone().with("application/json", &object))
}

/// What stands on the wire for one field.
enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

fn message(mut bytes: &[u8], fields: Fields) -> Option<Value> {
    let mut object = json!({});
    while !bytes.is_empty() {
        let (number, wire) = next(&mut bytes)?;
        if let Some((_, name, kind)) = fields.iter().find(|(known, ..)| *known == number) {
            put(object.as_object_mut()?, name, *kind, &wire)?;
        }
    }
    Some(object)
}

/// The next field: its number and what it holds.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let tag = varint(bytes)?;
    let wire = match tag & 7 {
        0 => Wire::Varint(varint(bytes)?),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            let (field, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Wire::Bytes(field)
        }
        _ => return None,
    };
    Some((tag >> 3, wire))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Adds a field to an object. Empty texts are as good as none.
fn put(object: &mut Map<String, Value>, name: &str, kind: Type, wire: &Wire) -> Option<()> {
    match kind {
        Type::List(item) => {
            let item = value(*item, wire)?;
            let items = object.entry(name).or_insert_with(|| json!([]));
            items.as_array_mut()?.push(item);
        }
        Type::Map(of) => {
            let Wire::Bytes(bytes) = wire else {
                return None;
            };
            let (key, entry) = pair(bytes, *of)?;
            let entries = object.entry(name).or_insert_with(|| json!({}));
            entries.as_object_mut()?.insert(key, entry);
        }
        kind => match value(kind, wire)? {
            Value::String(text) if text.is_empty() => {}
            value => drop(object.insert(name.to_owned(), value)),
        },
    }
    Some(())
}

fn pair(mut bytes: &[u8], of: Type) -> Option<(String, Value)> {
    let (mut key, mut entry) = (String::new(), Value::String(String::new()));
    while !bytes.is_empty() {
        match next(&mut bytes)? {
            (1, Wire::Bytes(bytes)) => key = String::from_utf8(bytes.to_vec()).ok()?,
            (2, wire) => entry = value(of, &wire)?,
            _ => {}
        }
    }
    Some((key, entry))
}

fn value(kind: Type, wire: &Wire) -> Option<Value> {
    Some(match (kind, wire) {
        (Type::Text, Wire::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).ok()?.into(),
        (Type::Bytes, Wire::Bytes(bytes)) => base64::encode(bytes).into(),
        (Type::Quantity, Wire::Bytes(bytes)) => {
            message(bytes, &[(1, "string", Type::Text)])?["string"].take()
        }
        (Type::Message(fields), Wire::Bytes(bytes)) => message(bytes, fields)?,
        (Type::Number, Wire::Varint(number)) => number.cast_signed().into(),
        (Type::Flag, Wire::Varint(number)) => (*number != 0).into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let entry = [field(1, b"a"), field(2, b"b")].concat();
        let raw = [field(1, &field(1, b"c")), field(2, &entry)].concat();
        let kind = [field(1, b"v1"), field(2, b"ConfigMap")].concat();
        let body = [b"k8s\0".to_vec(), field(1, &kind), field(2, &raw)].concat();
        let mut request = Request::new("POST", "/");
        request.body = body.clone();
        let read: Value = serde_json::from_slice(&translated(&request).unwrap().body).unwrap();
        let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
        assert_eq!(read, wanted);
        for end in 0..body.len() {
            request.body.truncate(body.len() - end);
            drop(translated(&request));
        }
    }
}
