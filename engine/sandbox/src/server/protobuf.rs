//! Protobuf bodies, as `kubectl create` and `kubectl debug` send them: as much as they write. A body
//! that says more is not read at all.

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
    /// False is as good as not set.
    Flag,
    /// False is another thing than not set.
    Choice,
    Message(Fields),
    /// A message whose fields stand in JSON beside it.
    Inline(Fields),
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

const CONTAINER: Fields = &[
    (1, "name", Type::Text),
    (2, "image", Type::Text),
    (3, "command", LINES),
    (4, "args", LINES),
    (7, "env", Type::List(&Type::Message(VARIABLE))),
    (9, "volumeMounts", Type::List(&Type::Message(MOUNT))),
    (13, "terminationMessagePath", Type::Text),
    (14, "imagePullPolicy", Type::Text),
    (15, "securityContext", Type::Message(SECURITY)),
    (16, "stdin", Type::Flag),
    (17, "stdinOnce", Type::Flag),
    (18, "tty", Type::Flag),
    (20, "terminationMessagePolicy", Type::Text),
];
const VARIABLE: Fields = &[(1, "name", Type::Text), (2, "value", Type::Text)];
const MOUNT: Fields = &[
    (1, "name", Type::Text),
    (2, "readOnly", Type::Flag),
    (3, "mountPath", Type::Text),
];
const SECURITY: Fields = &[
    (
        1,
        "capabilities",
        Type::Message(&[(1, "add", LINES), (2, "drop", LINES)]),
    ),
    (2, "privileged", Type::Choice),
    (5, "runAsNonRoot", Type::Choice),
    (7, "allowPrivilegeEscalation", Type::Choice),
    (
        11,
        "seccompProfile",
        Type::Message(&[(1, "type", Type::Text)]),
    ),
];
const VOLUME: Fields = &[
    (1, "name", Type::Text),
    (
        2,
        "source",
        Type::Inline(&[(
            1,
            "hostPath",
            Type::Message(&[(1, "path", Type::Text), (2, "type", Type::Text)]),
        )]),
    ),
];
const TOLERATION: Fields = &[
    (1, "key", Type::Text),
    (2, "operator", Type::Text),
    (3, "value", Type::Text),
    (4, "effect", Type::Text),
];
const POD: Fields = &[
    (1, "volumes", Type::List(&Type::Message(VOLUME))),
    (2, "containers", Type::List(&Type::Message(CONTAINER))),
    (3, "restartPolicy", Type::Text),
    (10, "nodeName", Type::Text),
    (11, "hostNetwork", Type::Flag),
    (12, "hostPID", Type::Flag),
    (13, "hostIPC", Type::Flag),
    (22, "tolerations", Type::List(&Type::Message(TOLERATION))),
];

/// The fields of the kinds that kubectl writes.
fn fields(kind: &str) -> Option<Fields> {
    Some(match kind {
        "Namespace" | "ServiceAccount" => &[METADATA],
        "Pod" => &[METADATA, (2, "spec", Type::Message(POD))],
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
        match fields.iter().find(|(known, ..)| *known == number) {
            Some((_, name, kind)) => put(object.as_object_mut()?, name, *kind, &wire)?,
            None if wire.says_nothing() => {}
            None => return None,
        }
    }
    Some(object)
}

impl Wire<'_> {
    /// Whether it is what a field has that was not set: zero, no text, a message of such fields.
    fn says_nothing(&self) -> bool {
        let mut rest = match self {
            Self::Varint(number) => return *number == 0,
            Self::Bytes(bytes) => *bytes,
        };
        while !rest.is_empty() {
            match next(&mut rest) {
                Some((_, wire)) if wire.says_nothing() => {}
                _ => return false,
            }
        }
        true
    }
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

/// Adds a field to an object. Empty texts are as good as none, too.
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
        Type::Inline(fields) => {
            let Value::Object(fields) = value(Type::Message(fields), wire)? else {
                return None;
            };
            object.extend(fields);
        }
        kind => match value(kind, wire)? {
            Value::String(text) if text.is_empty() => {}
            Value::Bool(false) if matches!(kind, Type::Flag) => {}
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
        (Type::Message(fields) | Type::Inline(fields), Wire::Bytes(bytes)) => {
            message(bytes, fields)?
        }
        (Type::Number, Wire::Varint(number)) => number.cast_signed().into(),
        (Type::Flag | Type::Choice, Wire::Varint(number)) => (*number != 0).into(),
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

    /// A body of a kind of `v1`.
    fn body(kind: &[u8], raw: &[u8]) -> Request {
        let kind = [field(1, b"v1"), field(2, kind)].concat();
        let mut request = Request::new("POST", "/");
        request.body = [b"k8s\0".to_vec(), field(1, &kind), field(2, raw)].concat();
        request
    }

    fn read(request: &Request) -> Option<Value> {
        serde_json::from_slice(&translated(request)?.body).ok()
    }

    #[test]
    fn a_config_map_is_read() {
        let entry = [field(1, b"a"), field(2, b"b")].concat();
        let raw = [field(1, &field(1, b"c")), field(2, &entry)].concat();
        let mut request = body(b"ConfigMap", &raw);
        let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}});
        assert_eq!(read(&request).unwrap(), wanted);
        for _ in 0..request.body.len() {
            request.body.pop();
            drop(translated(&request));
        }
    }

    #[test]
    fn a_volume_has_its_source_beside_its_name() {
        let source = field(1, &field(1, b"/"));
        let volume = [field(1, b"root"), field(2, &source)].concat();
        let raw = field(2, &field(1, &volume));
        let volumes = read(&body(b"Pod", &raw)).unwrap()["spec"]["volumes"].take();
        assert_eq!(
            volumes,
            json!([{"name": "root", "hostPath": {"path": "/"}}])
        );
    }

    #[test]
    fn what_is_not_known_is_not_dropped() {
        let meta = field(1, &[field(1, b"c"), field(4, b"")].concat());
        let status = |said: &[u8]| [meta.clone(), field(3, &field(1, said))].concat();
        assert!(read(&body(b"Pod", &status(b""))).is_some());
        assert!(read(&body(b"Pod", &status(b"Running"))).is_none());
    }
}
