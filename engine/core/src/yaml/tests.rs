use proptest::prelude::*;
use serde_json::json;

use super::build::{Faulty, MAX_BYTES, MAX_DOCUMENTS, parse};
use crate::diagnostic::{Code, Diagnostic};
use crate::object::{Node, SourceId};

fn read(text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut documents = several(text)?;
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0).map_err(|faulty| faulty.findings)
}

fn several(text: &str) -> Result<Vec<Result<Node, Faulty>>, Vec<Diagnostic>> {
    parse(text.as_bytes(), SourceId(0)).map_err(|broken| {
        let before = broken.before.into_iter().filter_map(Result::err);
        let before = before.flat_map(|faulty| faulty.findings);
        before.chain(broken.findings).collect()
    })
}

fn codes(text: &str) -> Vec<(Code, u32, u32)> {
    let findings = read(text).unwrap_err();
    findings
        .iter()
        .map(|f| {
            (
                f.code,
                f.place.unwrap().span.line,
                f.place.unwrap().span.column,
            )
        })
        .collect()
}

#[test]
fn values_come_with_their_places() {
    let text = "a: 1\nb:\n  - x\n  - {c: 'é', d: true}\ne: |\n  long\n";
    let node = read(text).unwrap();
    assert_eq!(
        node.to_json(),
        json!({"a": 1, "b": ["x", {"c": "é", "d": true}], "e": "long\n"})
    );
    let flag = node.get("b").unwrap().items()[1].get("d").unwrap();
    assert_eq!((flag.place.span.line, flag.place.span.column), (4, 17));
    let (from, to) = (flag.place.span.start as usize, flag.place.span.end as usize);
    assert_eq!(&text[from..to], "true");
    let list = node.get("b").unwrap().place.span;
    assert_eq!(
        &text[list.start as usize..list.end as usize],
        "- x\n  - {c: 'é', d: true}"
    );
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let plain = read("a: 1\nb: [x]\n").unwrap().to_json();
    assert_eq!(read("\u{feff}a: 1\r\nb: [x]\r\n").unwrap().to_json(), plain);
    let node = read("\u{feff}a: 1\r\nb: 22\r\n").unwrap();
    let span = node.get("b").unwrap().place.span;
    assert_eq!(
        (span.line, span.column, span.start, span.end),
        (2, 4, 12, 14)
    );
}

#[test]
fn a_key_given_twice_names_both_places() {
    let findings = read("a: 1\nb: 2\na: 3\n").unwrap_err();
    assert_eq!(codes("a: 1\nb: 2\na: 3\n"), [(Code::DuplicateKey, 3, 1)]);
    assert_eq!(findings[0].related[0].0.span.line, 1);
}

#[test]
fn what_is_ambiguous_or_clever_is_refused() {
    let table = [
        ("a: yes", Code::AmbiguousScalar, 1, 4),
        ("on: 1", Code::AmbiguousScalar, 1, 1),
        ("1: a", Code::AmbiguousScalar, 1, 1),
        ("a: &x 1", Code::Alias, 1, 4),
        ("a: !!str 1", Code::Alias, 1, 4),
        ("a: {<<: {b: 1}}", Code::Alias, 1, 5),
        ("a: [1", Code::Syntax, 2, 1),
        ("? [a]\n: b", Code::Syntax, 1, 3),
        ("a: *x", Code::Alias, 1, 4),
    ];
    for (text, code, line, column) in table {
        assert_eq!(codes(text).first(), Some(&(code, line, column)), "{text:?}");
    }
    assert!(read("a: \"yes\"\nb: 'on'").is_ok());
}

#[test]
fn all_findings_of_a_text_are_given() {
    assert_eq!(codes("a: yes\nb: 017\nc: 1\nc: 2\n").len(), 3);
}

#[test]
fn a_file_holds_several_documents() {
    let table = [
        (
            "a: 1\n---\nb: é\n---\n- c",
            json!([{"a": 1}, {"b": "é"}, ["c"]]),
        ),
        (
            "---\na: 1\n...\n---\nb: 1\n...\n",
            json!([{"a": 1}, {"b": 1}]),
        ),
        (
            "# only\n---\na: 1\n---\n# words\n---\n\n---\nb: 1\n---\n",
            json!([{"a": 1}, {"b": 1}]),
        ),
        (
            "%YAML 1.2\n---\na: |\n  ----\n  x\n---\nb: '---'\n",
            json!([{"a": "----\nx\n"}, {"b": "---"}]),
        ),
        ("a: 1\n---\nnull\n", json!([{"a": 1}, null])),
        (
            "\u{feff}a: 1\r\n---\r\nb: 1\r\n",
            json!([{"a": 1}, {"b": 1}]),
        ),
    ];
    for (text, expected) in table {
        let documents = several(text).unwrap();
        let json: Vec<_> = documents
            .iter()
            .map(|document| document.as_ref().unwrap().to_json())
            .collect();
        assert_eq!(json!(json), expected, "{text:?}");
    }
    let text = "é: 1\n---\nb:\n  - 22\n";
    let documents = several(text).unwrap();
    let span = documents[1].as_ref().unwrap().get("b").unwrap().items()[0]
        .place
        .span;
    assert_eq!((span.line, span.column), (4, 5));
    assert_eq!(&text[span.start as usize..span.end as usize], "22");
}

#[test]
fn a_fault_is_that_of_its_document() {
    let text = "a: 1\n---\nb: yes\nb: no\n---\n--- &x\n---\nc: 1\n";
    let documents = several(text).unwrap();
    let faults: Vec<Vec<_>> = documents
        .iter()
        .map(|document| document.as_ref().err().map_or(&[][..], |it| &it.findings))
        .map(|findings| {
            let spot = |it: &Diagnostic| (it.code, it.place.unwrap().span.line);
            findings.iter().map(spot).collect()
        })
        .collect();
    let twice = vec![
        (Code::AmbiguousScalar, 3),
        (Code::AmbiguousScalar, 4),
        (Code::DuplicateKey, 4),
    ];
    assert_eq!(faults[0], []);
    assert_eq!(faults[1], twice);
    assert_eq!(faults[2][0].0, Code::Alias);
    assert_eq!(faults[3], []);
}

#[test]
fn a_broken_syntax_leaves_nothing_to_go_by() {
    let findings = several("a: yes\n---\nb: [\n---\nc: 1\n").unwrap_err();
    let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::AmbiguousScalar, Code::Syntax]);
    let noisy = "a: yes\n".repeat(30) + "---\nb: [";
    let findings = several(&noisy).unwrap_err();
    assert_eq!(findings.len(), 21);
    assert_eq!(findings[20].code, Code::Syntax);
}

#[test]
fn limits_are_those_of_the_file() {
    let most = "a: 1\n---\n".repeat(MAX_DOCUMENTS);
    assert_eq!(several(&most).unwrap().len(), MAX_DOCUMENTS);
    let codes = |text: &str| several(text).unwrap_err()[0].code;
    assert_eq!(codes(&(most + "a: 1\n")), Code::TooLarge);
    let list = format!("[{}]\n---\n", "1,".repeat(60_000));
    assert!(several(&list).is_ok());
    assert_eq!(codes(&list.repeat(2)), Code::TooLarge);
    for nothing in ["", "# nothing\n", &"---\n".repeat(100_000)] {
        assert_eq!(several(nothing), Ok(Vec::new()));
    }
}

#[test]
fn hostile_texts_are_answered_quickly() {
    let flow = "[".repeat(20_000);
    let block = "- ".repeat(20_000);
    let maps = "{a: ".repeat(20_000);
    let keys = "? ".repeat(20_000);
    assert_eq!(read(&keys).unwrap_err()[0].code, Code::Syntax);
    let steps: Vec<String> = (0..1000).map(|n| " ".repeat(n) + "a:").collect();
    let steps = steps.join(
        "
",
    );
    for text in [flow, block, maps, steps] {
        assert_eq!(
            read(&text).unwrap_err()[0].code,
            Code::TooLarge,
            "{}",
            &text[..8]
        );
    }
    let bomb = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\n";
    assert!(codes(bomb).iter().all(|(code, ..)| *code == Code::Alias));
    assert_eq!(
        codes(&format!("[{}]", "1,".repeat(200_000)))[0].0,
        Code::TooLarge
    );
    assert_eq!(codes(&"a".repeat(MAX_BYTES + 1))[0].0, Code::TooLarge);
    assert!(parse(&[b'a', 0xff], SourceId(0)).is_err());
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "[-a-c:{}\\[\\], \n'\"|>&*!?#%@é~\t\r0-9.]{0,80}") {
        match several(&text) {
            Err(findings) => prop_assert!(!findings.is_empty()),
            Ok(documents) => {
                for faulty in documents.iter().filter_map(|document| document.as_ref().err()) {
                    prop_assert!(!faulty.findings.is_empty());
                }
            }
        }
    }

    #[test]
    fn documents_are_read_as_they_are_alone(
        texts in prop::collection::vec("[a-c][-a-c:\\[\\], \n'\"#é0-9.]{0,30}", 1..5),
    ) {
        let read: Vec<_> = texts.iter().map(|text| (text.as_str(), several(text))).collect();
        let fit = |it: &(&str, Result<Vec<_>, _>)| it.1.as_ref().is_ok_and(|all| all.len() == 1);
        let (texts, alone): (Vec<_>, Vec<_>) = read.into_iter().filter(fit).unzip();
        prop_assume!(!texts.is_empty());
        let together = several(&texts.join("\n---\n")).unwrap();
        let json = |document: &Result<Node, Faulty>| match document {
            Ok(node) => Ok(node.to_json()),
            Err(faulty) => Err(faulty.findings.iter().map(|it| it.code).collect::<Vec<_>>()),
        };
        let alone: Vec<_> = alone.iter().flatten().flatten().map(json).collect();
        prop_assert_eq!(together.iter().map(json).collect::<Vec<_>>(), alone);
    }

    #[test]
    fn json_is_read_as_json(text in "[a-zA-Z0-9 .~é]{0,12}", number in -1000i64..1000) {
        let value = json!({"a": [text, {"b": number}], "c": null, "d": {}});
        prop_assert_eq!(read(&value.to_string()).unwrap().to_json(), value);
    }
}
