//! What admission does to new objects.

use serde_json::{Value, json};

use super::{Call, Server};
use crate::failure::Failure;
use crate::kinds::{pod, service};
use crate::object::{is_deleting, name, set, text};
use crate::store::Key;

impl Server {
    /// What admission does to a new object, or why it is refused.
    pub(super) fn admit(&mut self, call: &Call, object: &mut Value) -> Result<(), Failure> {
        if let Some(namespace) = &call.namespace {
            self.check_namespace(call, namespace, name(object))?;
        }
        if &*call.kind.storage == "pods" {
            self.rewrite_images(object);
            self.prioritise(call, object)?;
        }
        if &*call.kind.storage == "services" && service::wants_address(object) {
            self.addresses += 1;
            service::allocate(object, self.addresses);
        }
        Ok(())
    }

    fn check_namespace(&self, call: &Call, namespace: &str, named: &str) -> Result<(), Failure> {
        let found = self.store.get(&Key::new("namespaces", "", namespace));
        let namespaces = self.kinds.find("", "v1", "namespaces");
        let missing = || {
            namespaces.map_or_else(Failure::no_such_path, |kind| {
                Failure::not_found(&kind, namespace)
            })
        };
        let found = found.ok_or_else(missing)?;
        if !is_deleting(found) {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut failure = Failure::forbidden(&call.kind, named, &why);
        failure.details["causes"] = json!([{
            "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        Err(failure)
    }

    fn rewrite_images(&self, pod: &mut Value) {
        let Some((from, to)) = &self.options.image_rewrite else {
            return;
        };
        for field in ["initContainers", "containers"] {
            let containers = pod["spec"].get_mut(field).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                if let Some(rest) = text(container, &["image"]).strip_prefix(from.as_str()) {
                    let image = format!("{to}{rest}");
                    set(container, &["image"], image);
                }
            }
        }
    }

    fn prioritise(&self, call: &Call, pod: &mut Value) -> Result<(), Failure> {
        const CLASSES: &str = "priorityclasses.scheduling.k8s.io";
        let wanted = text(pod, &["spec", "priorityClassName"]).to_owned();
        let class = if wanted.is_empty() {
            let mut classes = self.store.list(CLASSES, None).map(|(_, class)| class);
            classes.find(|class| class["globalDefault"] == true)
        } else {
            let why = || format!("no PriorityClass with name {wanted} was found");
            let class = self.store.get(&Key::new(CLASSES, "", &wanted));
            Some(class.ok_or_else(|| Failure::forbidden(&call.kind, name(pod), &why()))?)
        };
        let class = class.map(|class| &**class);
        if let Some(why) = pod::prioritise(pod, class) {
            return Err(Failure::forbidden(&call.kind, name(pod), &why));
        }
        Ok(())
    }
}
