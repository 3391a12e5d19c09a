//! Server-side apply, and what every other write does to the ownership of fields.

use berth_openapi::{Shape, facts};
use serde_json::{Map, Value};

use super::compare::{Changes, compare};
use super::conflict::{ApplyError, Conflict, Conflicts};
use super::fields::FieldSet;
use super::managed::{self, Manager, Managers, Operation, Owned};
use super::merge::merge;
use super::mistyped::mistyped;
use super::normal::normalize;
use super::typed::{fieldset_of, with_parents, without};

/// A write: by whom, when, and to what kind of object.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The type of the object.
    pub shape: &'a Shape,
    /// The field manager.
    pub manager: &'a str,
    /// The version of the API that it writes in, such as `apps/v1`.
    pub api_version: &'a str,
    /// The subresource that it writes to, such as `status`.
    pub subresource: Option<&'a str>,
    /// The time, as RFC 3339.
    pub now: &'a str,
}

impl Write<'_> {
    fn manager(&self, operation: Operation) -> Manager {
        let version = if operation == Operation::Apply {
            ""
        } else {
            self.api_version
        };
        Manager {
            name: self.manager.to_owned(),
            operation,
            version: version.to_owned(),
            subresource: self.subresource.unwrap_or_default().to_owned(),
        }
    }

    fn shape(&self) -> &Shape {
        facts().resolve(self.shape)
    }
}

/// The object that a server-side apply makes of the live one, or of nothing.
///
/// Fields that this manager applied before and does not any more go, unless another manager owns
/// them. When nothing changes, the result equals `live`, `managedFields` and their times included.
/// Defaults are not filled in, and what only the server writes (uid, resourceVersion) is the
/// caller's; so is leaving out of `applied` what the subresource may not write.
///
/// # Errors
/// Conflicts unless forced; a body that does not fit the shape or has `managedFields`.
pub fn apply(
    write: &Write<'_>,
    live: Option<&Value>,
    applied: &Value,
    force: bool,
) -> Result<Value, ApplyError> {
    check(write, applied)?;
    let mut managers = live.map(|live| owners(write, live)).unwrap_or_default();
    let bare = live.map(bare);
    let me = write.manager(Operation::Apply);
    let last = managers.remove(&me).unwrap_or_default();
    let fields = fieldset_of(applied, write.shape());
    let version = write.api_version.to_owned();
    managers.insert(
        me.clone(),
        Owned {
            fields,
            version,
            time: last.time,
        },
    );

    let mut object = match &bare {
        Some(live) => merge(write.shape(), live, applied),
        None => applied.clone(),
    };
    object = prune(write.shape(), object, &managers, &last.fields);
    let changes = compare(write.shape(), bare.as_ref(), Some(&object));
    take(&mut managers, &me, &changes, force).map_err(ApplyError::Conflicts)?;
    strip(&mut managers);
    // Not before: a null or another spelling of a quantity can be a conflict too.
    normalize(&mut object, write.shape());
    let is_new = live.is_none() || !(changes.is_empty() || bare.as_ref() == Some(&object));
    if let Some(owned) = managers.get_mut(&me).filter(|_| is_new) {
        owned.time = Some(write.now.to_owned());
    }
    managed::write(&mut object, &managers);
    Ok(object)
}

fn check(write: &Write<'_>, applied: &Value) -> Result<(), ApplyError> {
    let meta = &applied["metadata"];
    if has_entries(applied) {
        return Err(ApplyError::ManagedFields);
    }
    let Some(error) = mistyped(applied, write.shape()) else {
        return Ok(());
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = if write.api_version.contains('/') {
        ""
    } else {
        "/"
    };
    Err(ApplyError::Mistyped(format!(
        "failed to create typed patch object ({}/{}; {group}{}, Kind={}): {error}",
        text(&meta["namespace"]),
        text(&meta["name"]),
        write.api_version,
        text(&applied["kind"]),
    )))
}

/// The new object of a create, replace or patch, with `managedFields` brought up to date.
///
/// `new` is the whole object, with its defaults. Its own `managedFields` count if it has any (one
/// empty entry takes everything from everybody), otherwise those of the live object. What had none
/// when it was made is not followed until it is applied.
pub fn update(write: &Write<'_>, live: Option<&Value>, mut new: Value) -> Value {
    let mut managers = managed::read(&new);
    if managers.is_empty() && !has_entries(&new) {
        managers = live.map(managed::read).unwrap_or_default();
    }
    let unfollowed = managers.is_empty() && !has_entries(&new);
    new = bare(&new);
    if unfollowed && live.is_some() {
        return new;
    }
    let me = write.manager(Operation::Update);
    let old = live.map_or_else(|| Value::Object(Map::new()), bare);
    let changes = compare(write.shape(), Some(&old), Some(&new));
    yield_changed(&mut managers, &me, &changes);
    let written = changes.written().difference(&managed::unowned());
    let owned = managers.entry(me).or_default();
    write.api_version.clone_into(&mut owned.version);
    owned.fields = owned.fields.difference(&changes.removed).union(&written);
    if !written.is_empty() {
        owned.time = Some(write.now.to_owned());
    }
    strip(&mut managers);
    managed::write(&mut new, &managers);
    new
}

/// Whether a write leaves the object as it is, but for its revision and the times of its managers:
/// such a write is none, and the live object is the answer.
pub fn is_noop(live: &Value, new: &Value) -> bool {
    without_times(live) == without_times(new)
}

fn without_times(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
        let entries = metadata
            .get_mut("managedFields")
            .and_then(Value::as_array_mut);
        for entry in entries
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
        {
            entry.remove("time");
        }
    }
    object
}

fn has_entries(object: &Value) -> bool {
    object["metadata"]["managedFields"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
}

/// The managers of a live object; if there are none, one owns all that is there.
fn owners(write: &Write<'_>, live: &Value) -> Managers {
    let managers = managed::read(live);
    if !managers.is_empty() {
        return managers;
    }
    let before = Write {
        manager: "before-first-apply",
        subresource: None,
        ..*write
    };
    let nothing = Value::Object(Map::new());
    let there = compare(write.shape(), Some(&nothing), Some(&bare(live)));
    let owned = Owned {
        fields: there.written().difference(&managed::unowned()),
        version: write.api_version.to_owned(),
        time: Some(write.now.to_owned()),
    };
    Managers::from([(before.manager(Operation::Update), owned)])
}

/// The object without `managedFields`.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// Takes out what was applied last time and is owned by nobody now.
fn prune(shape: &Shape, merged: Value, managers: &Managers, last: &FieldSet) -> Value {
    let owned = managers
        .values()
        .fold(FieldSet::default(), |all, each| all.union(&each.fields));
    if last.difference(&owned).is_empty() {
        return merged;
    }
    let full = |set: &FieldSet| with_parents(set, shape);
    let fields = |value: Option<Value>| match value {
        Some(value) => full(&fieldset_of(&value, shape)),
        None => FieldSet::default(),
    };
    let (all, last) = (full(&fieldset_of(&merged, shape)), full(last));
    // First all that was applied goes; then comes back what is owned, and what is around it.
    let rest = fields(without(&merged, shape, &last));
    let gone = all.difference(&rest.union(&full(&owned)));
    let rest = fields(without(&merged, shape, &gone));
    let gone = all.difference(&rest).intersection(&last);
    without(&merged, shape, &gone).unwrap_or(merged)
}

/// Lets an applier have what it changed, if nobody else owns it or if it is forced.
fn take(
    managers: &mut Managers,
    me: &Manager,
    changes: &Changes,
    force: bool,
) -> Result<(), Conflicts> {
    let written = changes.written();
    let others = managers.iter().filter(|(manager, _)| *manager != me);
    let conflicts: Vec<_> = others
        .flat_map(|(manager, owned)| {
            let fields = owned.fields.intersection(&written).paths();
            fields.into_iter().map(|field| Conflict {
                manager: manager.clone(),
                field,
            })
        })
        .collect();
    if !force && !conflicts.is_empty() {
        return Err(Conflicts(conflicts));
    }
    yield_changed(managers, me, changes);
    Ok(())
}

/// Takes from all others what was changed or removed.
fn yield_changed(managers: &mut Managers, me: &Manager, changes: &Changes) {
    let lost = changes.written().union(&changes.removed);
    for (_, owned) in managers.iter_mut().filter(|(manager, _)| *manager != me) {
        owned.fields = owned.fields.difference(&lost);
    }
}

/// Leaves out what nobody owns, and managers that own nothing.
fn strip(managers: &mut Managers) {
    let unowned = managed::unowned();
    for owned in managers.values_mut() {
        owned.fields = owned.fields.difference(&unowned);
    }
    managers.retain(|_, owned| !owned.fields.is_empty());
}

#[cfg(test)]
mod tests;
