//! The page of codes.

use std::fmt::Write as _;

use super::Code;

/// The text of `docs/reference/codes.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Codes of findings\n\n\
         Made from the code: `make schema` writes it. A code is never used again for something else. \
         An error keeps the last applied form of its document in force; everything else goes on.\n",
    );
    for code in Code::ALL {
        let _ = write!(
            page,
            "\n## {code}: {}\n\n{}\n",
            code.title(),
            explanation(*code)
        );
    }
    page
}

/// Why it is so, and what to do.
const fn explanation(code: Code) -> &'static str {
    match code {
        Code::Syntax => {
            "The parser cannot read the text. The place is where it gave up, the cause is often a line above: an indent, a missing quote or bracket."
        }
        Code::TooLarge => {
            "A file has at most 1 MiB, at most 1,000 documents and at most 100,000 values in all, and nests at most 64 deep. Hyperparameters take at most 128 KiB as JSON, and with all other annotations of a pod 240 KiB, as they travel in one. Data belongs into images, claims or object storage."
        }
        Code::DuplicateKey => "YAML parsers differ in which of two equal keys wins. Keep one.",
        Code::AmbiguousScalar => {
            "YAML 1.1 and 1.2 read words such as `yes`, `017`, `1_000`, `1e3` or `12:30` as different things. Quote it if it is text; write `true`, or a plain decimal number such as `1.0e-4`, if it is not. Numbers fit into 64 bits; there is none for `.nan` and `.inf`."
        }
        Code::Alias => {
            "Anchors, aliases, tags and merge keys make a text mean more than it shows. Write the value out; layers (`PodDefaults`, `Queue`) are the place for what is shared."
        }
        Code::NotADocument => {
            "Every `.yaml` or `.yml` file outside of hidden folders holds documents, separated by `---`: `apiVersion: berth.dev/v1alpha1`, `kind`, `metadata`, `spec`. Keep other YAML elsewhere."
        }
        Code::UnknownKind => "The kinds are `Cluster`, `PodDefaults`, `Queue`, `Experiment`.",
        Code::NotBuilt => {
            "It is part of the design and will come. Until then it is refused, so that nothing is silently ignored."
        }
        Code::UnknownField => {
            "Fields are camelCase. An unknown one is refused, as a misspelt field would silently do nothing."
        }
        Code::MissingField => {
            "Without this field the document says too little. A container has an image; that of the program, `task`, has the document's."
        }
        Code::WrongType => {
            "Text, numbers, `true` or `false`, lists and maps are not turned into one another. Quote numbers that are text, such as versions and variables."
        }
        Code::OutOfRange => "The help says which values there are.",
        Code::InvalidName => {
            "Names become names of pods and Services: lower-case letters, digits and `-`, a letter first, at most 63 characters. Labels have Kubernetes' own rules."
        }
        Code::DuplicateDocument => {
            "A name is unique within its kind, and within its queue for experiments. Neither of the two is applied; what was in force stays."
        }
        Code::UnresolvedReference => {
            "The document refers to one that is not in the repository, or a mount of its pod to a volume that no layer has. The closest name is in the help. An experiment whose queue is not there is checked by the queue of the closest name, so that all its faults are told at once."
        }
        Code::HeldByReference => {
            "This document refers to one that is not valid. Nothing is wrong with it as far as what is sound of that one tells; the rest is checked, and it is applied, as soon as that one is mended."
        }
        Code::HeldByPlace => {
            "The document is gone from where it stood, or another form of it stands beside a document without a kind or a name, and what may hold it cannot be read: a file that is no YAML, a link or a submodule in the place of its folder. Its last form stays in force until that path is mended or removed. A file that cannot be read at a new path may hold any document; one where others stood, those and what its text names. An experiment that is now one of another queue, and not valid there, stays where it was as well."
        }
        Code::SizeDoesNotSplit => {
            "A trial larger than `maxSlotsPerPod` is split into pods of exactly that size. Take a size that the help names, or say `onUneven: shrink` for smaller, equal pods."
        }
        Code::ReservedField => {
            "Berth sets this field itself, and a value of yours would be lost. The help says where to say it instead; `pod-fields.md` lists all of them."
        }
        Code::UnknownPodField => {
            "The API server of this version would refuse the pod. Check the spelling and where the field stands."
        }
        Code::NotAllowedByQueue => {
            "Service accounts, Secrets, claims, host paths, host networking, privileges and kinds of volumes are allowed by name in the Queue's `allow`; the default is none of them but `configMap`, `downwardAPI`, `emptyDir` and `image` volumes. What a later Kubernetes adds is refused until Berth knows it."
        }
        Code::SharedMemory => {
            "`/dev/shm` is memory of the pod: what is written there counts towards its memory limit."
        }
        Code::UnknownHyperparameter => {
            "`$(hp.PATH)` in the entrypoint is replaced by a value of `hyperparameters`. `$$(hp.PATH)` stays as it is."
        }
        Code::UnusableMaximum => {
            "No node has as many slots as the largest pod would take, or all nodes that the pods of one attempt may go to have too few for all of them, so they would wait for ever. What pods ask for beside slots is not looked at here: what a pod cannot have of that, `berth status` tells in the words of the scheduler."
        }
        Code::OverQuota => {
            "The document is applied, but it waits until the queue's quota is raised."
        }
        Code::ReservedNamespace => {
            "Pods of users do not run beside Berth or beside Kubernetes itself."
        }
        Code::Ambiguous => {
            "Hyperparameters become variables, `a: {b: 1}` as `BERTH_HP_a_b`, and `$(hp.a.b)` names one. Two that become the same, or a variable that both `environment` and `pod` give, would leave it to chance which one the program sees. Rename one of them."
        }
        Code::Directive => {
            "`$patch: delete` or `replace` in a layer takes lower layers away, and `null` does too. The task's container and the list that holds it stay; take away single fields or items of it. `$patch` knows `delete`, `replace` and `merge`, nothing else."
        }
        Code::ShellWord => {
            "An entrypoint of one line is read by `/bin/sh`, after the values of `$(hp.PATH)` were put into it as they are. A value with a space, a quote, a `$` or the like becomes several words, or another text, or a command. Write the entrypoint as a list, whose items no shell reads, or let the shell take the variable, `\"$BERTH_HP_name\"`. If the value is meant to be several words, nothing needs to be done."
        }
        Code::Refused => {
            "Symlinks and submodules are not followed, names must be UTF-8, folders nest at most so deep, and content that Git lacks cannot be read. The help says what to do about each. Of a path that cannot hold a document it is a warning."
        }
        Code::EmptyRepository => {
            "Files that are empty or hold only comments hold no documents, which is fine beside others. An empty repository would mean: delete everything. It is taken for a mistake; what is in force stays."
        }
        Code::NoCluster => {
            "Without a valid `Cluster` nothing can be decided; what is in force stays. What is wrong with the other documents whatever the cluster says is told beside it."
        }
        Code::SeveralClusters => "A daemon works for one cluster: say which one with `--cluster`.",
    }
}
