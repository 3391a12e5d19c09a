//! What the kernel hands to a program is bounded.

use super::program::words;
use crate::diagnostic::{Code, Diagnostic};
use crate::kinds::experiment::hyperparameters::substitute;
use crate::kinds::experiment::{Experiment, Variable};
use crate::object::{Node, Place};

/// Bytes of one argument or one `NAME=value`, with the zero at its end (Linux's `MAX_ARG_STRLEN`, 32
/// pages). With more, every attempt would end before its program begins.
const LARGEST: usize = 128 * 1024;

/// No argument, with its hyperparameters, and no variable is larger than a program can be given.
pub(super) fn check(document: &Experiment) -> Vec<Diagnostic> {
    let argument = |word: &Node| {
        let text = substitute(word.as_str()?, &document.spec.hyperparameters);
        too_large("an argument", text.len(), word.place)
    };
    let variable = |(name, variable): (&String, &Variable)| {
        let Variable::Text(text) = variable else {
            return None;
        };
        let place = document.place(&["spec", "environment", "variables", name]);
        too_large("a variable", name.len() + 1 + text.len(), place)
    };
    let variables = document.spec.environment.variables.iter();
    let words = words(document).iter().filter_map(argument);
    words.chain(variables.filter_map(variable)).collect()
}

fn too_large(what: &str, bytes: usize, place: Place) -> Option<Diagnostic> {
    (bytes >= LARGEST).then(|| {
        let cause = format!("{what} of {bytes} bytes: a program is given less than {LARGEST}");
        Diagnostic::error(Code::TooLarge, place, cause)
            .help("put what is large into the image, a volume or object storage, and name it here")
    })
}
