//! The order of the task's variables.

use std::collections::BTreeMap;

use crate::object::Node;

/// Moves each variable behind those that its value names as `$(NAME)`, as Kubernetes replaces only
/// what stands earlier in the list
/// (<https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>).
/// Whatever needs no move keeps its place; for variables that name each other in a circle there is
/// no such order.
pub fn by_use(variables: &mut Vec<Node>) {
    let found = sequence(variables);
    let mut left: Vec<Option<Node>> = variables.drain(..).map(Some).collect();
    let placed = found.into_iter().filter_map(|at| left.get_mut(at)?.take());
    variables.extend(placed);
}

/// The variables by their places in the list, each once, what is named before what names it.
fn sequence(variables: &[Node]) -> Vec<usize> {
    let places: BTreeMap<&str, usize> = variables
        .iter()
        .enumerate()
        .filter_map(|(at, variable)| Some((text(variable, "name")?, at)))
        .collect();
    // No recursion: a chain may be as long as the list.
    let mut stack: Vec<Step> = (0..variables.len()).rev().map(Step::Visit).collect();
    let mut seen = vec![false; variables.len()];
    let mut sequence = Vec::with_capacity(variables.len());
    while let Some(step) = stack.pop() {
        let at = match step {
            Step::Place(at) => {
                sequence.push(at);
                continue;
            }
            Step::Visit(at) => at,
        };
        let first = seen
            .get_mut(at)
            .is_some_and(|seen| !std::mem::replace(seen, true));
        if !first {
            continue;
        }
        stack.push(Step::Place(at));
        let value = variables.get(at).and_then(|it| text(it, "value"));
        let uses = references(value.unwrap_or_default());
        let uses = uses.iter().filter_map(|name| places.get(name));
        stack.extend(uses.rev().map(|at| Step::Visit(*at)));
    }
    sequence
}

enum Step {
    /// Look what it names, then place it.
    Visit(usize),
    /// All that it names has its place.
    Place(usize),
}

fn text<'a>(variable: &'a Node, field: &str) -> Option<&'a str> {
    variable.get(field)?.as_str()
}

/// The names in the `$(NAME)` of a text; `$$` is a `$`.
fn references(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after.strip_prefix('$').unwrap_or(after);
        if let Some((name, after)) = after.strip_prefix('(').and_then(|it| it.split_once(')')) {
            found.push(name);
            rest = after;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ordered(variables: &[(&str, &str)]) -> Vec<String> {
        let list = variables
            .iter()
            .map(|(name, value)| Node::engine(&json!({"name": name, "value": value})));
        let mut list: Vec<Node> = list.collect();
        by_use(&mut list);
        let names = list.iter().filter_map(|it| text(it, "name"));
        names.map(str::to_owned).collect()
    }

    #[test]
    fn what_is_named_goes_first() {
        for (variables, expected) in [
            (&[("B", ""), ("A", "$(X)"), ("C", "")][..], "B A C"),
            (&[("A", "$(Z)/a"), ("Y", ""), ("Z", "")], "Z A Y"),
            (&[("A", "$(B)"), ("B", "$(C)"), ("C", "")], "C B A"),
            (&[("A", "$(C)$(B)"), ("B", ""), ("C", "")], "C B A"),
            (&[("A", "$$(B)"), ("B", "")], "A B"),
            (&[("A", "$$$(B)"), ("B", "")], "B A"),
            (&[("A", "$(B"), ("B", "")], "A B"),
            (&[("A", "$(A)"), ("B", "$(A)")], "A B"),
            (&[("A", "$(B)"), ("B", "$(A)")], "B A"),
            (&[("A", "\u{e4}$(B)"), ("B", "")], "B A"),
        ] {
            assert_eq!(ordered(variables).join(" "), expected, "{variables:?}");
        }
    }

    proptest! {
        #[test]
        fn each_comes_once_and_after_what_it_names(
            edges in prop::collection::vec((0..12_usize, 0..12_usize), 0..30)
        ) {
            // An edge points from a higher number to a lower one, so that there is no circle.
            let name = |at: usize| format!("V{}", (at * 5) % 12);
            let mut values = vec![String::new(); 12];
            for (a, b) in edges {
                if a != b {
                    let reference = format!("$({})", name(a.min(b)));
                    values[a.max(b)].push_str(&reference);
                }
            }
            let mut list: Vec<(String, String)> = (0..12).map(|at| (name(at), values[at].clone())).collect();
            list.sort();
            let list: Vec<(&str, &str)> = list.iter().map(|(a, b)| (&**a, &**b)).collect();
            let found = ordered(&list);
            prop_assert_eq!(found.len(), 12);
            for (name, value) in &list {
                let place = |name: &str| found.iter().position(|it| it == name);
                for named in references(value) {
                    prop_assert!(place(named) < place(name), "{:?}", found);
                }
            }
        }
    }
}
