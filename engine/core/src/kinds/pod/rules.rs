//! Values in a layer that no server takes although their types are right. The rules are those of
//! Kubernetes' own validation (`pkg/apis/core/validation/validation.go` in its repository, of the
//! version of the facts); a test compares them with the server's answers. A layer is a part: what
//! may come from another layer is not missing here.

use std::net::IpAddr;

use super::{marks, scheduling};
use crate::diagnostic::{Code, Diagnostic, cut};
use crate::object::{Node, Value};

/// The ids of users and groups (`IsValidUserID`, `IsValidGroupID`).
const IDS: (i64, i64) = (0, i32::MAX as i64);
/// The most name servers and search domains (`validatePodDNSConfig`).
const MOST: [(&str, usize); 2] = [("nameservers", 3), ("searches", 32)];

/// What is wrong with a value of the type of this name, at this path.
pub(super) fn check(of: &str, node: &Node, path: &str) -> Vec<Diagnostic> {
    if node.get("$patch").and_then(Node::as_str) == Some("delete") {
        return Vec::new();
    }
    let at = At { node, path };
    match of.rsplit('.').next().unwrap_or_default() {
        "PodSpec" => pod(at),
        "PodSecurityContext" => security(at),
        "SecurityContext" => at.ids(&["runAsUser", "runAsGroup"]).collect(),
        "Container" => ports(at),
        "ContainerPort" => port(at),
        "EnvVar" => Vec::from_iter(variable(at, "name")),
        "EnvFromSource" => Vec::from_iter(variable(at, "prefix")),
        "HostAlias" => Vec::from_iter(at.text("ip").and_then(|it| address(it.0, it.1))),
        "PodDNSConfig" => dns(at),
        "PodReadinessGate" => Vec::from_iter(at.key("conditionType")),
        other => scheduling::check(other, at),
    }
}

/// One value that is looked at.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub node: &'a Node,
    pub path: &'a str,
}

impl<'a> At<'a> {
    /// A field that is text.
    pub fn text(&self, field: &str) -> Option<(&'a str, &'a Node)> {
        let node = self.node.get(field)?;
        Some((node.as_str()?, node))
    }

    /// A field that is a whole number; what is too large for one is the largest.
    pub fn number(&self, field: &str) -> Option<(i64, &'a Node)> {
        let node = self.node.get(field)?;
        Some((whole(node)?, node))
    }

    /// The items of a field that are text.
    pub fn texts(&self, field: &str) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        let items = self.node.get(field).map_or(&[][..], Node::items);
        items.iter().filter_map(|node| Some((node.as_str()?, node)))
    }

    /// That a number is out of its range.
    pub fn range(&self, field: &str, (least, most): (i64, i64)) -> Option<Diagnostic> {
        let (number, node) = self.number(field)?;
        out_of_range(
            &format!("{}.{field}", self.path),
            number,
            node,
            (least, most),
        )
    }

    /// That a field is not there, or empty.
    pub fn missing(&self, field: &str) -> Option<Diagnostic> {
        let said = self.node.get(field).filter(|it| it.value != Value::Null);
        let empty = said.is_none_or(|it| it.as_str() == Some(""));
        empty.then(|| {
            let place = said.unwrap_or(self.node).place;
            let cause = format!("`{}` needs `{field}`", self.path);
            Diagnostic::error(Code::MissingField, place, cause).help(format!("add `{field}`"))
        })
    }

    /// That a text is none of the keys of labels.
    pub fn key(&self, field: &str) -> Option<Diagnostic> {
        let (text, node) = self.text(field).filter(|(text, _)| !text.is_empty())?;
        (!marks::is_key(text)).then(|| {
            let cause = format!("`{}` is no name for `{}.{field}`", cut(text), self.path);
            Diagnostic::error(Code::InvalidName, node.place, cause).help(marks::KEY)
        })
    }

    fn ids(self, fields: &'static [&'static str]) -> impl Iterator<Item = Diagnostic> + use<'a> {
        fields.iter().filter_map(move |it| self.range(it, IDS))
    }

    /// That a text is no name of an object (RFC 1123).
    fn name(self, field: &str) -> Option<Diagnostic> {
        let (text, node) = self.text(field)?;
        (!is_subdomain(text)).then(|| {
            let cause = format!("`{}` is no name for `{}.{field}`", cut(text), self.path);
            let help =
                "it has letters in lower case, digits, `-` and `.`, none of the last two at its ends";
            Diagnostic::error(Code::InvalidName, node.place, cause).help(help)
        })
    }
}

fn pod(at: At) -> Vec<Diagnostic> {
    // (The name of a scheduler may be any; a grace period below 0 is taken as 1.)
    let empty = |field: &&str| at.text(field).is_some_and(|(text, _)| text.is_empty());
    let names = ["serviceAccountName", "priorityClassName"].into_iter();
    let names = names.filter(|field| !empty(field));
    names
        .chain(["runtimeClassName"])
        .filter_map(|field| at.name(field))
        .collect()
}

fn security(at: At) -> Vec<Diagnostic> {
    let groups = at.node.get("supplementalGroups");
    let items = groups.map_or(&[][..], Node::items).iter().enumerate();
    let groups = items.filter_map(|(index, node)| {
        let path = format!("{}.supplementalGroups[{index}]", at.path);
        out_of_range(&path, whole(node)?, node, IDS)
    });
    at.ids(&["runAsUser", "runAsGroup", "fsGroup"])
        .chain(groups)
        .collect()
}

fn port(at: At) -> Vec<Diagnostic> {
    let mut findings = Vec::from_iter(at.range("containerPort", (1, 65_535)));
    findings.extend(at.range("hostPort", (0, 65_535)));
    let name = at.text("name").filter(|(text, _)| !text.is_empty());
    if let Some((text, node)) = name.filter(|(text, _)| !is_port_name(text)) {
        let cause = format!("`{}` is no name for a port", cut(text));
        findings.push(Diagnostic::error(Code::InvalidName, node.place, cause).help(
            "it has at most 15 letters in lower case, digits and single `-`, one letter at least, no `-` at its ends",
        ));
    }
    findings
}

/// Ports of one container have names of their own.
fn ports(at: At) -> Vec<Diagnostic> {
    let items = at.node.get("ports").map_or(&[][..], Node::items);
    let names: Vec<(&str, &Node)> = items
        .iter()
        .filter(|port| port.get("$patch").is_none())
        .filter_map(|port| Some((port.get("name")?.as_str()?, port.get("name")?)))
        .filter(|(text, _)| !text.is_empty())
        .collect();
    let twin = |index: usize, text: &str| names[..index].iter().find(|(first, _)| *first == text);
    let said = names
        .iter()
        .enumerate()
        .filter_map(|(index, (text, node))| {
            let (_, first) = twin(index, text)?;
            let cause = format!("two ports of a container are called `{}`", cut(text));
            let finding = Diagnostic::error(Code::DuplicateKey, node.place, cause);
            Some(
                finding
                    .related(first.place, "the first one")
                    .help("give one of them another name"),
            )
        });
    said.collect()
}

fn variable(at: At, field: &str) -> Option<Diagnostic> {
    let (text, node) = at.text(field)?;
    let valid = names_a_variable(text) || field == "prefix" && text.is_empty();
    (!valid).then(|| no_variable(text, node))
}

/// Says that a text is no name for a variable.
pub(in crate::kinds) fn no_variable(text: &str, node: &Node) -> Diagnostic {
    let cause = format!("`{}` is no name for a variable", cut(text));
    Diagnostic::error(Code::InvalidName, node.place, cause).help("use letters, digits and `_`")
}

/// Whether Kubernetes takes a variable of this name (`IsRelaxedEnvVarName`).
pub(in crate::kinds) fn names_a_variable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=')
}

fn dns(at: At) -> Vec<Diagnostic> {
    let too_many = MOST.iter().filter_map(|(field, most)| {
        let node = at.node.get(field)?;
        (node.items().len() > *most).then(|| {
            let cause = format!("`{}.{field}` has more than {most} items", at.path);
            Diagnostic::error(Code::OutOfRange, node.place, cause).help("leave some of them out")
        })
    });
    let servers = at.texts("nameservers");
    let servers = servers.filter_map(|(text, node)| address(text, node));
    too_many.chain(servers).collect()
}

fn address(text: &str, node: &Node) -> Option<Diagnostic> {
    (!is_address(text)).then(|| {
        let cause = format!("`{}` is no IP address", cut(text));
        let help = "write an address such as 10.0.0.1 or fd00::1, no name";
        Diagnostic::error(Code::OutOfRange, node.place, cause).help(help)
    })
}

/// Without zeros before a number, and no IPv4 written as IPv6 (`IsValidIPForLegacyField`, which is
/// strict at creation).
fn is_address(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(_)) => true,
        Ok(IpAddr::V6(address)) => address.to_ipv4_mapped().is_none(),
        Err(_) => false,
    }
}

fn is_port_name(text: &str) -> bool {
    text.len() <= 15
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && text.split('-').all(|part| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            !part.is_empty() && part.bytes().all(plain)
        })
}

fn is_subdomain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |part: &str| {
        let ends = [part.bytes().next(), part.bytes().last()];
        part.bytes().all(|b| plain(b) || b == b'-')
            && ends.into_iter().all(|end| end.is_some_and(plain))
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn whole(node: &Node) -> Option<i64> {
    match &node.value {
        Value::Number(number) if !number.is_f64() => Some(number.as_i64().unwrap_or(i64::MAX)),
        _ => None,
    }
}

fn out_of_range(
    path: &str,
    number: i64,
    node: &Node,
    (least, most): (i64, i64),
) -> Option<Diagnostic> {
    (!(least..=most).contains(&number)).then(|| {
        let range = match most {
            i64::MAX => format!("{least} or more"),
            _ => format!("{least} to {most}"),
        };
        let cause = format!("`{path}` is out of range: {range}");
        Diagnostic::error(Code::OutOfRange, node.place, cause)
            .help(format!("write a number of {range}"))
    })
}
