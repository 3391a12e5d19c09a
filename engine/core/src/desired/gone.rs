//! Of what only a place tells: of a document that is gone while something cannot be read, and of one
//! beside another without a name. Both keep their last form: to take away or to replace, a snapshot
//! must say what it wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::{File, Files};
use super::index::{Holding, Index, name_place};
use super::past::{OldForms, Past};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::ids::UnitId;
use crate::object::{Place, SourceId};

/// Why documents are not valid.
#[derive(Default)]
pub(super) struct Reasons {
    /// By what they name themselves, or by where they stand or stood.
    pub bad: BTreeMap<UnitId, String>,
    /// What is to be said of those of which only their place tells.
    pub findings: Vec<Diagnostic>,
    /// A document that is gone is held by another path than its own.
    pub elsewhere: bool,
}

impl Reasons {
    /// By what the documents name themselves.
    pub fn named(index: &Index) -> Self {
        let mut reasons = Self::default();
        for finding in &index.findings {
            if let Some(unit) = &finding.unit {
                let bad = reasons.bad.entry(unit.clone());
                bad.or_insert_with(|| finding.cause.clone());
            }
        }
        reasons
    }

    /// By all that is known.
    pub fn of(files: &mut Files, index: &mut Index, past: &Past<'_>, old: &mut OldForms) -> Self {
        let mut reasons = Self::named(index);
        reasons.beside_nameless(files, index, past, old);
        reasons.gone(files, index, past);
        reasons
    }

    /// A document without a name may be any of those beside it, so none of them changes.
    fn beside_nameless(
        &mut self,
        files: &mut Files,
        index: &mut Index,
        past: &Past<'_>,
        old: &mut OldForms,
    ) {
        let Files { by_path, sources } = files;
        for (path, holding) in index.holding.iter().filter(|(_, it)| it.hides) {
            let parsed = by_path.get(path).and_then(|file| file.parsed.as_ref().ok());
            for valid in parsed.into_iter().flatten().flatten() {
                let id = valid.document.id();
                let stays = past.form(&id, old, sources) == Some(valid.form);
                if !stays && past.applied(&id).is_some() && index.valid.remove(&id).is_some() {
                    index.faulty.insert(id.clone());
                    let why = format!("{path} {}", holding.state);
                    self.hold(id, name_place(&valid.document), path, why);
                }
            }
        }
    }

    /// Documents that are in the snapshot no more, and that may stand where nothing can be read.
    fn gone(&mut self, files: &Files, index: &mut Index, past: &Past<'_>) {
        let known = |id: &UnitId| index.valid.contains_key(id) || self.bad.contains_key(id);
        let gone = past.ids().into_iter().filter(|id| !known(id));
        let stood = |id| Some((id, past.applied(id)?.path.as_str()));
        let gone: Vec<(&UnitId, &str)> = gone.filter_map(stood).collect();
        let mut refused: BTreeSet<SourceId> = BTreeSet::new();
        let mut elsewhere = None;
        for (id, stood) in gone {
            let here = above(stood).find_map(|path| index.holding.get_key_value(path));
            let found = here.or_else(|| {
                let all = elsewhere.get_or_insert_with(|| Hiding::all(files, index, past));
                let of = all.iter().find(|it| it.may_hold(id))?;
                self.elsewhere = true;
                Some((of.path, of.holding))
            });
            let Some((path, holding)) = found else {
                continue;
            };
            let state = &holding.state;
            let why = match here {
                Some(_) if **path == *stood => format!("{path} {state}"),
                Some(_) => format!("it is gone from {stood}, as {path} {state}"),
                None => {
                    format!("it is gone from {stood}, and {path}, which may hold it now, {state}")
                }
            };
            if !files.by_path.contains_key(path) {
                self.elsewhere = true;
                refused.insert(holding.place.source);
            }
            self.hold(id.clone(), holding.place, path, why);
        }
        drop(elsewhere);
        // What documents are missed for is no side matter.
        for finding in &mut index.findings {
            if finding.place.is_some_and(|at| refused.contains(&at.source)) {
                finding.severity = Severity::Error;
            }
        }
    }

    fn hold(&mut self, id: UnitId, place: Place, path: &str, why: String) {
        let cause = format!("`{id}` keeps its last form: {why}");
        let mut finding = Diagnostic::warning(Code::HeldByPlace, place, cause).help(format!(
            "mend {path} or remove it, and say there what you want"
        ));
        finding.unit = Some(id.clone());
        self.findings.push(finding);
        self.bad.insert(id, why);
    }
}

/// A path that cannot be read, where documents may stand that are gone elsewhere.
struct Hiding<'a> {
    path: &'a Arc<str>,
    holding: &'a Holding,
    /// Only those with such a name: other documents stood there before, so its content was known.
    names: Option<BTreeSet<&'a str>>,
}

impl<'a> Hiding<'a> {
    fn all(files: &'a Files, index: &'a Index, past: &Past<'_>) -> Vec<Self> {
        let applied = past.ids().into_iter().filter_map(|id| past.applied(id));
        let stood: BTreeSet<&str> = applied.flat_map(|it| above(&it.path)).collect();
        let hides = index.holding.iter().filter(|(_, holding)| holding.hides);
        let of = |(path, holding): (&'a Arc<str>, &'a Holding)| {
            let text = files.by_path.get(path).and_then(File::text);
            let text = text.filter(|_| stood.contains(&**path));
            let names = text.and_then(words);
            Self {
                path,
                holding,
                names,
            }
        };
        hides.map(of).collect()
    }

    fn may_hold(&self, id: &UnitId) -> bool {
        let named = |names: &BTreeSet<&str>| names.contains(id.name.as_str());
        self.names.as_ref().is_none_or(named)
    }
}

/// The path and the folders above it.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0))
}

/// What may be a name in a text; `None` if that is not a text.
fn words(text: &[u8]) -> Option<BTreeSet<&str>> {
    let text = str::from_utf8(text).ok().filter(|it| !it.contains('\0'))?;
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    Some(text.split(|letter| !is_part(letter)).collect())
}
