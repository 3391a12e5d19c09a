//! Events of the parser -> one tree.

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Stretch};

use super::offsets::Offsets;
use super::scalar::{self, Plain};
use crate::diagnostic::{Code, Diagnostic, cut};
use crate::object::{Key, Node, Place, SourceId, Span, Value};

/// The largest text of one file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// How deep maps and lists nest.
pub const MAX_DEPTH: usize = 64;
/// How many values the documents of a file have in all.
pub const MAX_NODES: usize = 100_000;
/// How many documents a file holds.
pub const MAX_DOCUMENTS: usize = 1_000;
const ALIAS: &str = "aliases are not allowed";
/// So many findings of one document are given.
const MAX_FINDINGS: usize = 20;

/// A document that is at fault, though its end could be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Faulty {
    /// What could be read of it; a key may be there twice.
    pub tree: Node,
    /// Why; never empty.
    pub findings: Vec<Diagnostic>,
}

/// A file that cannot be read to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// The documents before the place where it breaks, for what else is wrong with them.
    pub before: Vec<Result<Node, Faulty>>,
    /// Why it breaks, and what was found in the document that is not finished; never empty.
    pub findings: Vec<Diagnostic>,
}

impl Broken {
    fn at_once(finding: Diagnostic) -> Self {
        Self {
            before: Vec::new(),
            findings: vec![finding],
        }
    }
}

/// Reads the YAML documents of a file in their order; empty ones are left out, so a file of
/// nothing but comments has none. Keys of maps in a [`Node`] are unique; places are those of the
/// whole `source`.
///
/// A fault within one document is that document's. What breaks the syntax or passes a limit of the
/// file leaves nothing to go by.
///
/// Takes time in proportion to the text whatever it holds, and never recurses deeper than
/// [`MAX_DEPTH`]. All findings are given, up to a bound for each document.
pub fn parse(bytes: &[u8], source: SourceId) -> Result<Vec<Result<Node, Faulty>>, Broken> {
    let start = Place {
        source,
        span: Span {
            start: 0,
            end: 0,
            line: 1,
            column: 1,
        },
    };
    if bytes.len() > MAX_BYTES {
        let cause = format!(
            "the file has {} bytes, a file at most {MAX_BYTES}",
            bytes.len()
        );
        let finding = Diagnostic::error(Code::TooLarge, start, cause)
            .help("keep data out of documents: name an image, a claim or a URI instead");
        return Err(Broken::at_once(finding));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let cause = format!("the file is not UTF-8 text (byte {})", error.valid_up_to());
        let finding = Diagnostic::error(Code::Syntax, start, cause);
        Broken::at_once(finding.help("save it as UTF-8"))
    })?;
    let (text, skipped) = match text.strip_prefix('\u{feff}') {
        Some(rest) => (rest, 3),
        None => (text, 0),
    };
    Builder::new(text, skipped, source).run()
}

/// A map or list that is not closed yet.
struct Open {
    place: Place,
    flow: bool,
    entries: Vec<(Key, Node)>,
    items: Vec<Node>,
    is_map: bool,
    key: Option<Key>,
}

struct Builder<'a> {
    text: &'a str,
    offsets: Offsets,
    source: SourceId,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    /// Of the document that is not finished yet.
    findings: Vec<Diagnostic>,
    documents: Vec<Result<Node, Faulty>>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str, skipped: u32, source: SourceId) -> Self {
        Self {
            text,
            offsets: Offsets::new(text, skipped),
            source,
            open: Vec::new(),
            root: None,
            nodes: 0,
            findings: Vec::new(),
            documents: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Vec<Result<Node, Faulty>>, Broken> {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(next) = parser.next_event() {
            let go_on = match next {
                Ok((event, stretch)) => self.event(event, stretch),
                Err(error) => self.syntax(&error),
            };
            if !go_on {
                return Err(Broken {
                    before: self.documents,
                    findings: self.findings,
                });
            }
        }
        Ok(self.documents)
    }

    /// Whether to go on.
    fn event(&mut self, event: Event<'_>, stretch: Stretch) -> bool {
        match event {
            Event::DocumentEnd => return self.finish(stretch),
            Event::Alias(_) => {
                let place = self.place(stretch);
                self.report(Code::Alias, place, ALIAS, "write the value out");
                return self.value(Node {
                    value: Value::Null,
                    place,
                });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.marks(anchor, tag.is_some(), stretch);
                return self.scalar(&text, style, stretch);
            }
            Event::SequenceStart(anchor, tag) => {
                self.marks(anchor, tag.is_some(), stretch);
                return self.begin(false, stretch);
            }
            Event::MappingStart(anchor, tag) => {
                self.marks(anchor, tag.is_some(), stretch);
                return self.begin(true, stretch);
            }
            Event::SequenceEnd | Event::MappingEnd => return self.end(stretch),
            _ => {}
        }
        true
    }

    /// A document ends; one that holds nothing is none.
    fn finish(&mut self, stretch: Stretch) -> bool {
        let place = self.place(stretch);
        let findings = std::mem::take(&mut self.findings);
        let document = match self.root.take() {
            None if findings.is_empty() => return true,
            Some(root) if findings.is_empty() => Ok(root),
            root => Err(Faulty {
                tree: root.unwrap_or(Node {
                    value: Value::Null,
                    place,
                }),
                findings,
            }),
        };
        self.documents.push(document);
        if self.documents.len() > MAX_DOCUMENTS {
            let cause = format!("the file holds more than {MAX_DOCUMENTS} documents");
            self.report(Code::TooLarge, place, cause, "split it into several files");
            return false;
        }
        true
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, stretch: Stretch) -> bool {
        let place = self.place(stretch);
        let plain = if style == ScalarStyle::Plain {
            scalar::read(text)
        } else {
            Plain::Text
        };
        if let Some(Open {
            is_map: true,
            key: key @ None,
            ..
        }) = self.open.last_mut()
        {
            *key = Some(Key {
                name: text.into(),
                place,
            });
            self.key(text, &plain, place);
            return true;
        }
        if text.is_empty() && plain == Plain::Null && self.open.is_empty() {
            return true;
        }
        let value = match plain {
            Plain::Null => Value::Null,
            Plain::Bool(flag) => Value::Bool(flag),
            Plain::Number(number) => Value::Number(number),
            Plain::Text => Value::String(text.into()),
            Plain::Ambiguous(help) => {
                let cause = format!("YAML parsers read the plain `{}` differently", cut(text));
                self.report(Code::AmbiguousScalar, place, cause, help);
                Value::Null
            }
        };
        self.value(Node { value, place })
    }

    /// Keys are text.
    fn key(&mut self, text: &str, plain: &Plain, place: Place) {
        if text == "<<" {
            self.report(
                Code::Alias,
                place,
                "merge keys are not allowed",
                "write the fields out",
            );
        } else if !matches!(plain, Plain::Text) {
            let cause = format!("the key `{}` is not text to every YAML parser", cut(text));
            self.report(
                Code::AmbiguousScalar,
                place,
                cause,
                format!("quote it: `\"{text}\"`"),
            );
        }
    }

    fn begin(&mut self, is_map: bool, stretch: Stretch) -> bool {
        let place = self.place(stretch);
        if self.open.len() >= MAX_DEPTH {
            let cause = format!("maps and lists nest deeper than {MAX_DEPTH}");
            self.report(Code::TooLarge, place, cause, "flatten it");
            return false;
        }
        if let Some(Open {
            is_map: true,
            key: None,
            ..
        }) = self.open.last()
        {
            self.report(
                Code::Syntax,
                place,
                "a map or list is used as a key",
                "keys are text",
            );
            return false;
        }
        let flow = matches!(
            self.text
                .as_bytes()
                .get(self.offsets.in_text(place.span.start)),
            Some(b'{' | b'[')
        );
        self.open.push(Open {
            place,
            flow,
            entries: Vec::new(),
            items: Vec::new(),
            is_map,
            key: None,
        });
        true
    }

    fn end(&mut self, stretch: Stretch) -> bool {
        let Some(open) = self.open.pop() else {
            return true;
        };
        let last = open
            .entries
            .last()
            .map(|(_, node)| node)
            .or(open.items.last());
        let mut place = open.place;
        place.span.end = match last {
            Some(last) if !open.flow => last.place.span.end.max(place.span.start),
            _ => self.place(stretch).span.end,
        };
        if open.is_map {
            self.duplicates(&open.entries);
        }
        let value = if open.is_map {
            Value::Map(open.entries)
        } else {
            Value::List(open.items)
        };
        self.value(Node { value, place })
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, node: Node) -> bool {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let cause = format!("the file has more than {MAX_NODES} values");
            self.report(
                Code::TooLarge,
                node.place,
                cause,
                "keep data out of documents",
            );
            return false;
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open {
                is_map: true,
                key,
                entries,
                ..
            }) => {
                let at = node.place;
                let key = key.take().unwrap_or(Key {
                    name: "".into(),
                    place: at,
                });
                entries.push((key, node));
            }
            Some(Open { items, .. }) => items.push(node),
        }
        true
    }

    fn duplicates(&mut self, entries: &[(Key, Node)]) {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| entries[*a].0.name.cmp(&entries[*b].0.name).then(a.cmp(b)));
        for pair in order.windows(2) {
            let (first, second) = (&entries[pair[0]].0, &entries[pair[1]].0);
            if first.name == second.name {
                let cause = format!("the key `{}` is given twice", cut(&second.name));
                let finding = Diagnostic::error(Code::DuplicateKey, second.place, cause)
                    .related(first.place, "first given here")
                    .help("keep one of the two");
                self.add(finding);
            }
        }
    }

    fn marks(&mut self, anchor: usize, tag: bool, stretch: Stretch) {
        let place = self.place(stretch);
        if anchor > 0 {
            self.report(
                Code::Alias,
                place,
                "anchors are not allowed",
                "write the value out where it is needed",
            );
        }
        if tag {
            self.report(
                Code::Alias,
                place,
                "tags are not allowed",
                "leave it out; quote the value if it is text",
            );
        }
    }

    fn syntax(&mut self, error: &saphyr_parser::ScanError) -> bool {
        let at = *error.marker();
        let place = self.place(Stretch::empty(at));
        let deep = error.info() == "recursion limit exceeded";
        if deep {
            let cause = format!("maps and lists nest deeper than {MAX_DEPTH}");
            self.report(Code::TooLarge, place, cause, "flatten it");
        } else if error.info().ends_with("unknown anchor") {
            self.report(Code::Alias, place, ALIAS, "write the value out");
        } else {
            let cause = error.info().to_owned();
            let help = "look at the lines above too: an indent, a missing quote or bracket";
            self.report(Code::Syntax, place, cause, help);
        }
        false
    }

    fn report(
        &mut self,
        code: Code,
        place: Place,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Diagnostic::error(code, place, cause).help(help));
    }

    fn add(&mut self, finding: Diagnostic) {
        // What ends the text is always said.
        if self.findings.len() < MAX_FINDINGS
            || matches!(finding.code, Code::TooLarge | Code::Syntax)
        {
            self.findings.push(finding);
        }
    }

    fn place(&self, stretch: Stretch) -> Place {
        let start = self.offsets.in_file(stretch.start.index());
        Place {
            source: self.source,
            span: Span {
                start,
                end: self.offsets.in_file(stretch.end.index()).max(start),
                line: u32::try_from(stretch.start.line().max(1)).unwrap_or(u32::MAX),
                column: u32::try_from(stretch.start.col() + 1).unwrap_or(u32::MAX),
            },
        }
    }
}
