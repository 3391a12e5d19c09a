//! Counts in sentences.

/// `1 slot`, `2 slots`: a noun with its count, for nouns that take an `s`.
pub fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_singular() {
        let told = [0u64, 1, 2].map(|count| counted(count, "pod"));
        assert_eq!(told, ["0 pods", "1 pod", "2 pods"]);
    }
}
