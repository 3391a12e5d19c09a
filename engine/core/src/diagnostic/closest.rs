//! What somebody may have meant.

/// The candidate that is closest to `name`, if one is close. Case, `_` and `-` count little, so
/// that `slots_per_trial` finds `slotsPerTrial`.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(name);
    let limit = (wanted.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &plain(candidate)),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_what_was_meant() {
        let fields = ["slotsPerTrial", "shmSize", "priority"];
        let table = [
            ("slots_per_trial", Some("slotsPerTrial")),
            ("slotPerTrial", Some("slotsPerTrial")),
            ("shmsize", Some("shmSize")),
            ("prioriyt", Some("priority")),
            ("weight", None),
        ];
        for (name, found) in table {
            assert_eq!(closest(name, fields), found, "{name}");
        }
    }
}
