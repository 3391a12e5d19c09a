//! The facts of one version of Kubernetes: what it serves and how its types are made.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::shape::Shape;

static FACTS: LazyLock<Facts> = LazyLock::new(Facts::read);
static ANY: Shape = Shape::Any;

/// The facts of the version of Kubernetes that this project is built for, read once.
pub fn facts() -> &'static Facts {
    &FACTS
}

/// What an API server of one version serves.
#[derive(Debug, Default)]
pub struct Facts {
    version: String,
    groups: Vec<Group>,
    resources: Vec<Resource>,
    types: BTreeMap<String, Shape>,
}

/// An API group, with its versions in the server's order of preference.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Group {
    /// The name; empty for the core group.
    #[serde(rename = "group")]
    pub name: String,
    /// The versions, the preferred one first.
    pub versions: Vec<String>,
}

/// A resource: a kind under the path where it is served.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version, such as `v1`.
    pub version: String,
    /// The kind of its objects.
    pub kind: String,
    /// The name in the path.
    pub plural: String,
    /// The name of one, in lower case.
    pub singular: String,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: Vec<String>,
    /// Other names that `kubectl` takes.
    #[serde(default)]
    pub short_names: Vec<String>,
    /// The groups of resources, such as `all`, that it belongs to.
    #[serde(default)]
    pub categories: Vec<String>,
    /// What is served below an object.
    #[serde(default)]
    pub subresources: Vec<Subresource>,
    /// The name of the type of its objects.
    #[serde(default, rename = "type")]
    pub type_name: String,
}

impl Resource {
    /// What its objects say in `apiVersion`.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// The subresource `name`.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|each| each.name == name)
    }
}

/// Something served below an object, such as `status`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Subresource {
    /// The last part of its path.
    pub name: String,
    /// The API group of what it takes and gives, which can be another one than the resource's.
    pub group: String,
    /// The version of what it takes and gives.
    pub version: String,
    /// The kind of what it takes and gives.
    pub kind: String,
    /// What can be done with it.
    pub verbs: Vec<String>,
    /// The name of the type; empty where the server names none.
    #[serde(default, rename = "type")]
    pub type_name: String,
}

impl Subresource {
    /// What its body says in `apiVersion`.
    pub fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }
}

/// Facts that cannot be read are no facts; a test says that the committed ones can be.
impl Facts {
    fn read() -> Self {
        let types: BTreeMap<String, Value> =
            serde_json::from_str(include_str!("../facts/types.json")).unwrap_or_default();
        let served: Served =
            serde_json::from_str(include_str!("../facts/resources.json")).unwrap_or_default();
        let version: Version =
            serde_json::from_str(include_str!("../facts/version.json")).unwrap_or_default();
        let shape = |(name, schema): (String, Value)| {
            let shape = Shape::of_type(&name, &schema);
            (name, shape)
        };
        Self {
            version: version.git_version,
            groups: served.groups,
            resources: served.resources,
            types: types.into_iter().map(shape).collect(),
        }
    }

    /// The version of the server, such as `v1.36.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The groups in the server's order of preference.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All resources in the server's order.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The resource at a path.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|each| each.plural == plural && each.version == version && each.group == group)
    }

    /// The resource whose objects say `apiVersion` and `kind`.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.resources
            .iter()
            .find(|each| each.kind == kind && each.version == version && each.group == group)
    }

    /// The shape of the type `name`, such as `io.k8s.api.core.v1.Pod`.
    pub fn type_named(&self, name: &str) -> Option<&Shape> {
        self.types.get(name)
    }

    /// What a shape stands for: never a [`Shape::Ref`]. An unknown name is [`Shape::Any`].
    pub fn resolve<'a>(&'a self, shape: &'a Shape) -> &'a Shape {
        match shape {
            Shape::Ref(name) => match self.types.get(name) {
                Some(found) => self.resolve(found),
                None => &ANY,
            },
            found => found,
        }
    }

    /// The resolved shape one step below `shape`: a field of an object, a value of a map, or
    /// an item of a list (whatever `step` is).
    pub fn step<'a>(&'a self, shape: &'a Shape, step: &str) -> Option<&'a Shape> {
        let below = match self.resolve(shape) {
            Shape::Object(fields) if fields.open => fields.shape(step).unwrap_or(&ANY),
            Shape::Object(fields) => fields.shape(step)?,
            Shape::Map { value, .. } => value,
            Shape::List { item, .. } => item,
            Shape::Any => &ANY,
            _ => return None,
        };
        Some(self.resolve(below))
    }

    /// The resolved shape at a path below a type, see [`Facts::step`].
    pub fn at(&self, type_name: &str, path: &[&str]) -> Option<&Shape> {
        let root = self.resolve(self.type_named(type_name)?);
        path.iter()
            .try_fold(root, |shape, step| self.step(shape, step))
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

#[derive(Default, Deserialize)]
struct Served {
    groups: Vec<Group>,
    resources: Vec<Resource>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::ListKind;

    const POD: &str = "io.k8s.api.core.v1.Pod";

    #[test]
    fn the_facts_can_be_read() {
        assert!(facts().version().starts_with("v1.36."));
        assert!(facts().types.len() > 500 && facts().resources().len() > 60);
        assert_eq!(facts().groups()[0].name, "");
    }

    #[test]
    fn resources_are_found_by_path_and_by_kind() {
        let pods = facts().resource("", "v1", "pods").unwrap();
        assert_eq!(facts().kind("v1", "Pod"), Some(pods));
        assert_eq!((pods.type_name.as_str(), pods.namespaced), (POD, true));
        assert_eq!(pods.short_names, ["po"]);
        assert_eq!(
            pods.subresource("eviction").unwrap().api_version(),
            "policy/v1"
        );
        assert_eq!(
            facts().kind("apps/v1", "Deployment").unwrap().plural,
            "deployments"
        );
        assert_eq!(facts().kind("v1", "Deployment"), None);
    }

    #[test]
    fn every_resource_has_a_type() {
        for resource in facts().resources() {
            assert!(
                facts().type_named(&resource.type_name).is_some(),
                "{resource:?}"
            );
        }
    }

    #[test]
    fn every_reference_resolves() {
        fn check(shape: &Shape) {
            match shape {
                Shape::Ref(name) => assert!(facts().type_named(name).is_some(), "{name}"),
                Shape::Object(fields) => fields.fields.values().for_each(|each| check(&each.shape)),
                Shape::Map { value, .. } => check(value),
                Shape::List { item, .. } => check(item),
                _ => {}
            }
        }
        facts().types.values().for_each(check);
    }

    #[test]
    fn native_types_know_what_they_always_hold() {
        let Some(Shape::Object(spec)) = facts().type_named("io.k8s.api.apps.v1.DeploymentSpec")
        else {
            panic!("not an object")
        };
        assert!(spec.native);
        assert_eq!(spec.fields["template"].zero, Some(serde_json::json!({})));
        assert_eq!(spec.fields["selector"].zero, Some(Value::Null));
        assert_eq!(spec.fields["replicas"].zero, None);
        assert!(spec.fields["strategy"].patch_strategy.retain_keys);
    }

    #[test]
    fn paths_lead_to_shapes() {
        let ports = facts()
            .at(POD, &["spec", "containers", "[]", "ports"])
            .unwrap();
        let Shape::List {
            kind,
            patch_merge_key,
            patch_strategy,
            ..
        } = ports
        else {
            panic!("not a list")
        };
        assert_eq!(
            kind,
            &ListKind::Map(vec!["containerPort".into(), "protocol".into()])
        );
        assert_eq!(patch_merge_key.as_deref(), Some("containerPort"));
        assert!(patch_strategy.merge);
        let limit = ["spec", "containers", "[]", "resources", "limits", "cpu"];
        assert_eq!(facts().at(POD, &limit), Some(&Shape::Quantity));
        assert_eq!(
            facts().at(POD, &["metadata", "creationTimestamp"]),
            Some(&Shape::Time)
        );
        assert_eq!(facts().at(POD, &["spec", "nothing"]), None);
    }
}
