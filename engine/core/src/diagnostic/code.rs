//! The one table of codes.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $title:literal;)*) => {
        /// The stable code of a finding. A code is never used again for something else
        /// (B0106 was once "a file holds more than one document").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* #[doc = $title] $name,)* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As people see it, such as `B0101`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One line that says what it means.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    Syntax = "B0101", "the text is not YAML";
    TooLarge = "B0102", "the text passes a limit of size, depth or count";
    DuplicateKey = "B0103", "a map names a key twice";
    AmbiguousScalar = "B0104", "YAML parsers read this plain scalar differently";
    Alias = "B0105", "anchors, aliases, tags and merge keys are not allowed";
    NotADocument = "B0201", "the text is not a Berth document";
    UnknownKind = "B0202", "there is no such kind of document";
    NotBuilt = "B0203", "this part of Berth is not built yet";
    UnknownField = "B0204", "there is no such field";
    MissingField = "B0205", "a required field is missing";
    WrongType = "B0206", "a value is of the wrong type";
    OutOfRange = "B0207", "a value is outside its range or set";
    InvalidName = "B0208", "a name is not one that Kubernetes accepts";
    DuplicateDocument = "B0301", "two documents have one kind and name";
    UnresolvedReference = "B0302", "a reference names nothing";
    HeldByReference = "B0303", "a document that this one refers to is invalid";
    HeldByPlace = "B0304", "a document is held, as what may be its new form is not valid";
    SizeDoesNotSplit = "B0401", "the slots do not split into whole pods";
    ReservedField = "B0402", "a pod field that Berth sets itself";
    UnknownPodField = "B0403", "Kubernetes knows no such field";
    NotAllowedByQueue = "B0404", "the queue does not allow this";
    SharedMemory = "B0405", "shared memory does not fit the memory limit";
    UnknownHyperparameter = "B0407", "the entrypoint names a hyperparameter that does not exist";
    UnusableMaximum = "B0408", "the nodes cannot hold the pods, even when nothing runs";
    OverQuota = "B0409", "the slots never fit the queue's quota";
    ReservedNamespace = "B0410", "a queue cannot use this namespace";
    Ambiguous = "B0411", "two values would have one name";
    Directive = "B0412", "`$patch` would take away what Berth needs";
    ShellWord = "B0413", "a shell does not read a hyperparameter as one word";
    Refused = "B0501", "the repository holds something that Berth does not read";
    EmptyRepository = "B0502", "the repository holds no documents";
    NoCluster = "B0503", "the repository does not say what cluster it is for";
    SeveralClusters = "B0504", "the repository holds several clusters";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
