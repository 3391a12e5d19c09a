//! Files that are made from the types: `make schema` writes them, a test says when they differ.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read and write files"
)]

use std::collections::BTreeMap;
use std::path::Path;

use berth_core::desired::{ListedFile, Loader};
use berth_core::ids::BlobId;

/// Compares a committed file with what it should hold; writes it if `BERTH_BLESS` is set.
fn compare(path: &str, wanted: &str, same: impl Fn(&str) -> bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    if std::env::var_os("BERTH_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        same(&committed),
        "{} differs: run `make schema`",
        path.display()
    );
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for (file, schema) in berth_core::kinds::schema::all() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        // Features of other crates decide the order of keys: compare what it says.
        let same = |committed: &str| serde_json::from_str(committed).ok().as_ref() == Some(&schema);
        compare(&format!("schema/{file}"), &text, same);
    }
}

#[test]
fn the_committed_fields_are_those_of_the_types() {
    let page = berth_core::kinds::schema::reference();
    compare("docs/reference/documents.md", &page, |committed| {
        committed == page
    });
}

#[test]
fn the_committed_pod_fields_are_those_of_the_table() {
    let page = berth_core::kinds::pod::reference();
    compare("docs/reference/pod-fields.md", &page, |committed| {
        committed == page
    });
}

/// All files below a folder, as a listing of Git would have them.
fn files(folder: &Path, into: &mut Vec<(String, Vec<u8>)>, root: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into, root);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            into.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn the_example_repository_has_no_findings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../state-example");
    let mut found = Vec::new();
    files(&root, &mut found, &root);
    let (mut listing, mut blobs) = (Vec::new(), BTreeMap::new());
    for (number, (path, bytes)) in found.into_iter().enumerate() {
        let blob = BlobId::from_bytes([u8::try_from(number).unwrap(); 20]);
        listing.push(ListedFile {
            path: path.into(),
            blob,
            size: bytes.len() as u64,
        });
        blobs.insert(blob, bytes.into());
    }
    let validation = Loader::new().validate(&listing, &[], &blobs);
    assert_eq!(validation.findings, []);
    assert_eq!(validation.documents, 5);
}

#[test]
fn the_committed_codes_are_those_of_the_table() {
    let page = berth_core::diagnostic::reference();
    compare("docs/reference/codes.md", &page, |committed| {
        committed == page
    });
}
