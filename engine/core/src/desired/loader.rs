//! Snapshots in, the validated model out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::files::{Changed, Files, ListedFile, RefusedFile, holds_document, top};
use super::gone::Reasons;
use super::index::{Holding, Index};
use super::judge::Pass;
use super::model::Desired;
use super::past::{OldForms, Past};
use super::provisional::Stand;
use super::units::Units;
use crate::diagnostic::{Code, Diagnostic, Severity, Source, SourceTable, closest};
use crate::ids::{BlobId, CommitId, DocumentKind, Name, UnitId};
use crate::ledger::Forms;
use crate::reconciler::CommitFacts;
use crate::yaml;

/// Makes [`Desired`] from snapshots of one cluster's repository. It remembers what it read, so that
/// a snapshot costs what changed in it; the result is the same as from scratch.
#[derive(Default)]
pub struct Loader {
    files: Files,
    previous: Option<Desired>,
    /// How the snapshot before came about, unless files were read since that came to nothing.
    settled: Option<Settled>,
}

/// What a snapshot was judged by.
struct Settled {
    index: Index,
    bad: BTreeMap<UnitId, String>,
    /// What holds a document that is gone is not its own path: that may change with any other.
    elsewhere: bool,
    refused: Vec<RefusedFile>,
}

/// What `berth validate` has to say of a snapshot.
#[derive(Debug, Clone)]
pub struct Validation {
    /// Everything, in the order of the paths.
    pub findings: Vec<Diagnostic>,
    /// The texts that the findings point into.
    pub sources: SourceTable,
    /// How many documents there are; a file that cannot be parsed counts as one.
    pub documents: usize,
    /// How many of them refer to one that is not valid, and nothing is wrong with them as far as what
    /// is sound of that one tells: the rest is checked once it is mended.
    pub unchecked: usize,
}

impl Validation {
    /// Whether nothing is an error.
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| !finding.is_error())
    }
}

impl Loader {
    /// A loader that knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The blobs that [`Loader::load`] and [`Loader::validate`] need, each once, in no order.
    ///
    /// `ledger_forms` is what the ledger said before the first snapshot, or before it was told to
    /// [`forget`](Self::forget); once one was loaded since, that says what is in force, and its blobs
    /// are not needed any more. A blob that Git does not have may be left out.
    pub fn missing(&self, listing: &[ListedFile], ledger_forms: &Forms) -> Vec<BlobId> {
        let small = |file: &&ListedFile| file.size <= yaml::MAX_BYTES as u64;
        let (unread, _) = self.files.compare(listing);
        let unread = unread.into_iter().filter(small).map(|file| file.blob);
        let forms = ledger_forms.ids().filter(|_| self.previous.is_none());
        let forms = forms.filter_map(|id| ledger_forms.last(id));
        let mut blobs: Vec<BlobId> = unread.chain(forms.map(|applied| applied.blob)).collect();
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }

    /// Takes a snapshot in.
    ///
    /// `cluster` names the cluster that this is about; it may be left out if the repository holds
    /// one. `refused` are paths that are not read (symlinks, submodules). `ledger_forms` as in [`Loader::missing`].
    ///
    /// Fails if there is no form of the cluster to go by (no documents, no cluster, or a first
    /// snapshot whose cluster is invalid); whatever is in force then stays in force.
    pub fn load(
        &mut self,
        commit: &CommitFacts,
        cluster: Option<&Name>,
        listing: &[ListedFile],
        refused: &[RefusedFile],
        blobs: &BTreeMap<BlobId, Arc<[u8]>>,
        ledger_forms: &Arc<Forms>,
    ) -> Result<Desired, Vec<Diagnostic>> {
        let changed = self.files.refresh(listing, blobs);
        if let Some(settled) = self.settled.take().filter(|it| it.refused == refused)
            && cluster.is_none_or(|name| self.is_about(name))
            && let Some(desired) = self.follow(commit, settled, &changed, blobs, ledger_forms)
        {
            return Ok(desired);
        }
        let mut index = Index::of(&self.files);
        refuse(&mut self.files, &mut index, refused);
        if self.is_empty(&index) {
            return Err(vec![empty()]);
        }
        let known = self.previous.as_ref().map(|desired| desired.cluster.name());
        let ledger_cluster = ledger_forms
            .ids()
            .find(|id| id.kind == DocumentKind::Cluster);
        let cluster = cluster.or(known).or(ledger_cluster.map(|id| &id.name));
        let name = match choose(&index, cluster) {
            Ok(name) => name,
            Err(finding) => {
                if finding.code == Code::NoCluster {
                    let more = self.findings_for(&index, None, &mut BTreeSet::new());
                    index.findings.extend(more);
                }
                index.findings.push(*finding);
                return Err(in_order(&self.files.sources, index.findings));
            }
        };
        let before = Past {
            previous: self.previous.as_ref(),
            ledger: ledger_forms,
            blobs,
        };
        let mut old = OldForms::default();
        let reasons = Reasons::of(&mut self.files, &mut index, &before, &mut old);
        let mut pass = Pass {
            files: &mut self.files,
            index: &index,
            past: before,
            commit,
            bad: reasons.bad,
            units: Units::default(),
            frozen: BTreeMap::new(),
            findings: reasons.findings,
            elsewhere: reasons.elsewhere,
            old,
        };
        let cluster = pass.run(&name);
        let (bad, units, frozen) = (pass.bad, pass.units, pass.frozen);
        let elsewhere = pass.elsewhere;
        let mut findings = pass.findings;
        findings.append(&mut index.findings);
        let findings = in_order(&self.files.sources, findings);
        // A file that cannot be read may hold it, and is told by itself.
        let findings = match cluster {
            Some(_) if index.hiding().is_some() => findings,
            _ => missing_cluster(findings, &name, &index.clusters()),
        };
        let Some(cluster) = cluster else {
            return Err(findings);
        };
        let desired = Desired {
            commit: commit.clone(),
            judged_by: self.previous.is_none().then(|| Arc::clone(ledger_forms)),
            cluster,
            units,
            frozen,
            findings,
            sources: self.files.sources.clone(),
            authors: BTreeMap::new(),
        };
        self.settled = Some(Settled {
            index,
            bad,
            elsewhere,
            refused: refused.to_vec(),
        });
        self.previous = Some(desired.clone());
        Ok(desired)
    }

    /// Forgets what the snapshots so far put in force: the next one goes by what the ledger says, as
    /// after a restart. What was read is read still.
    pub fn forget(&mut self) {
        (self.previous, self.settled) = (None, None);
    }

    /// Forgets how the snapshot before came about: the next one is judged as a whole.
    #[cfg(test)]
    pub(super) fn judge_all(&mut self) {
        self.settled = None;
    }

    /// Whether the snapshot before was about this cluster.
    fn is_about(&self, cluster: &Name) -> bool {
        let previous = self.previous.as_ref();
        previous.is_some_and(|previous| previous.cluster.name() == cluster)
    }

    /// Takes in a snapshot that differs from the one before only in experiments, and is not at fault
    /// in what differs: only they are judged. `None`: all has to be judged.
    fn follow(
        &mut self,
        commit: &CommitFacts,
        mut settled: Settled,
        changed: &[Changed],
        blobs: &BTreeMap<BlobId, Arc<[u8]>>,
        ledger_forms: &Forms,
    ) -> Option<Desired> {
        let previous = self.previous.as_ref()?;
        let cluster = &previous.cluster;
        let id = UnitId::plain(DocumentKind::Cluster, cluster.name().clone());
        // An invalid cluster holds everything.
        previous.units.get(&id).filter(|unit| unit.held.is_none())?;
        let touched =
            (!settled.elsewhere).then(|| settled.index.update(&self.files, changed))??;
        let gone = touched.iter().filter(|id| !settled.index.has(id));
        let gone: BTreeSet<&Name> = gone.map(|id| &id.name).collect();
        if settled.index.namesakes(&gone).next().is_some() {
            return None;
        }
        let mut pass = Pass {
            files: &mut self.files,
            index: &settled.index,
            past: Past {
                previous: Some(previous),
                ledger: ledger_forms,
                blobs,
            },
            commit,
            bad: std::mem::take(&mut settled.bad),
            units: previous.units.clone(),
            frozen: previous.frozen.clone(),
            findings: Vec::new(),
            elsewhere: false,
            old: OldForms::default(),
        };
        let stand = Stand::new(&pass, Some(cluster.name()), Some(Arc::clone(cluster)))?;
        for id in &touched {
            pass.experiment_alone(&stand, id);
        }
        let (bad, units, frozen) = (pass.bad, pass.units, pass.frozen);
        let mut findings = pass.findings;
        let others = previous.findings.iter().filter(|finding| {
            let unit = finding.unit.as_ref();
            unit.is_none_or(|unit| !touched.contains(unit))
        });
        findings.extend(others.cloned());
        let desired = Desired {
            commit: commit.clone(),
            judged_by: None,
            cluster: Arc::clone(cluster),
            units,
            frozen,
            findings: in_order(&self.files.sources, findings),
            sources: self.files.sources.clone(),
            authors: BTreeMap::new(),
        };
        self.settled = Some(Settled { bad, ..settled });
        self.previous = Some(desired.clone());
        Some(desired)
    }

    /// Everything that is wrong with a snapshot, for all clusters in it, without a ledger.
    pub fn validate(
        &mut self,
        listing: &[ListedFile],
        refused: &[RefusedFile],
        blobs: &BTreeMap<BlobId, Arc<[u8]>>,
    ) -> Validation {
        self.files.refresh(listing, blobs);
        self.settled = None;
        let mut index = Index::of(&self.files);
        refuse(&mut self.files, &mut index, refused);
        let mut findings = Vec::new();
        if self.is_empty(&index) {
            findings.push(empty());
        } else if let Err(finding) = choose(&index, None)
            && finding.code != Code::SeveralClusters
        {
            findings.push(*finding);
        }
        let mut judged = BTreeSet::new();
        let clusters = index.clusters();
        for name in &clusters {
            findings.extend(self.findings_for(&index, Some(name), &mut judged));
        }
        if clusters.is_empty() {
            findings.extend(self.findings_for(&index, None, &mut judged));
        }
        findings.append(&mut index.findings);
        let refers = |kind| matches!(kind, DocumentKind::Queue | DocumentKind::Experiment);
        let waits = |id: &&UnitId| refers(id.kind) && !judged.contains(*id);
        Validation {
            unchecked: index.valid.keys().filter(waits).count(),
            findings: in_order(&self.files.sources, findings),
            sources: self.files.sources.clone(),
            documents: self.files.count(),
        }
    }

    /// The cluster that a snapshot is about if it holds one, whether that document is valid or not.
    /// The error lists several.
    pub fn only_cluster(
        &mut self,
        listing: &[ListedFile],
        blobs: &BTreeMap<BlobId, Arc<[u8]>>,
    ) -> Result<Name, Box<Diagnostic>> {
        self.files.refresh(listing, blobs);
        let index = Index::of(&self.files);
        if self.is_empty(&index) {
            return Err(Box::new(empty()));
        }
        choose(&index, None)
    }

    fn is_empty(&self, index: &Index) -> bool {
        self.files.count() == 0 && index.hiding().is_none()
    }

    /// What one cluster's pass says, or what can be said without any; documents that wait for
    /// another one are not news.
    /// `judged` gets those that need not wait.
    fn findings_for(
        &mut self,
        index: &Index,
        name: Option<&Name>,
        judged: &mut BTreeSet<UnitId>,
    ) -> Vec<Diagnostic> {
        let (ledger, blobs) = (Forms::default(), BTreeMap::new());
        let before = Past {
            previous: None,
            ledger: &ledger,
            blobs: &blobs,
        };
        let commit = CommitFacts {
            id: CommitId::from_bytes([0; 20]),
            subject: String::new(),
            trailers: Vec::new(),
            after: None,
            new_ancestors: Vec::new(),
            older_left_out: false,
        };
        let mut pass = Pass {
            files: &mut self.files,
            index,
            past: before,
            commit: &commit,
            bad: Reasons::named(index).bad,
            units: Units::default(),
            frozen: BTreeMap::new(),
            findings: Vec::new(),
            elsewhere: false,
            old: OldForms::default(),
        };
        match name {
            Some(name) => drop(pass.run(name)),
            None => pass.provisional(None),
        }
        pass.findings
            .retain(|finding| finding.code != Code::HeldByReference);
        judged.extend(pass.units.iter().map(|(id, _)| id.clone()));
        judged.extend(pass.findings.iter().filter_map(|it| it.unit.clone()));
        pass.findings
    }
}

/// Which cluster a snapshot is about.
fn choose(index: &Index, wanted: Option<&Name>) -> Result<Name, Box<Diagnostic>> {
    if let Some(name) = wanted {
        return Ok(name.clone());
    }
    match index.clusters().as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let cause = "the repository holds no `Cluster` document";
            let help = match index.hiding() {
                Some(path) => format!("mend {path} first, which may hold it and cannot be read"),
                None => "add one: see state-example/clusters/".to_owned(),
            };
            Err(Box::new(without_place(Code::NoCluster, cause).help(help)))
        }
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let cause = format!("the repository holds the clusters {}", names.join(", "));
            Err(Box::new(
                without_place(Code::SeveralClusters, &cause).help("say which one with --cluster"),
            ))
        }
    }
}

/// Paths that are not read.
fn refuse(files: &mut Files, index: &mut Index, refused: &[RefusedFile]) {
    for file in refused {
        let path = &file.path;
        let source = files.sources.add(Source {
            path: Arc::clone(path),
            blob: BlobId::from_bytes([0; 20]),
        });
        let document = holds_document(path);
        let state = format!("is not read: {}", file.why);
        let cause = format!("{path} {state}");
        let mut finding = Diagnostic::error(file.code, top(source), cause).help(&*file.help);
        if !document {
            finding.severity = Severity::Warning;
        }
        index.findings.push(finding);
        let holding = Holding {
            state,
            place: top(source),
            hides: document || file.hides,
        };
        index.holding.insert(Arc::clone(path), holding);
    }
}

/// Findings in the order of paths and lines, none twice.
fn in_order(sources: &SourceTable, mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let order = |finding: &Diagnostic| {
        let place = finding.place.map(|place| {
            let path = sources
                .get(place.source)
                .map(|source| Arc::clone(&source.path));
            (path, place.span)
        });
        (place, finding.code, finding.cause.clone())
    };
    findings.sort_by_cached_key(order);
    findings.dedup();
    findings
}

fn missing_cluster(
    mut findings: Vec<Diagnostic>,
    name: &Name,
    clusters: &[Name],
) -> Vec<Diagnostic> {
    if !clusters.contains(name) {
        let cause = format!("the repository holds no `Cluster` document `{name}`");
        let names: Vec<&str> = clusters.iter().map(Name::as_str).collect();
        let help = match closest(name.as_str(), names.iter().copied()) {
            Some(close) => format!("did you mean --cluster {close}?"),
            None if names.is_empty() => "check the name given with --cluster".to_owned(),
            None => format!(
                "it holds {}: say which one with --cluster",
                names.join(", ")
            ),
        };
        findings.push(without_place(Code::NoCluster, &cause).help(help));
    }
    findings
}

fn empty() -> Diagnostic {
    without_place(Code::EmptyRepository, "the repository holds no documents")
        .help("add documents (see state-example/), or check the branch and the folder")
}

fn without_place(code: Code, cause: &str) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        unit: None,
        place: None,
        cause: cause.to_owned(),
        related: Vec::new(),
        help: None,
    }
}
