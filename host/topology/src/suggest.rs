//! "Did you mean": the nearest of some valid words, and lists of them for remedies.

/// Nearest of `valid` to `word`, when it is near enough to be a slip of the fingers.
pub(crate) fn nearest<'v>(word: &str, valid: impl IntoIterator<Item = &'v str>) -> Option<&'v str> {
    // Longer words than this are no slip of anything, and edit distance is quadratic.
    const LONGEST: usize = 128;
    if word.len() > LONGEST {
        return None;
    }
    let folded = word.to_lowercase().replace('-', "_");
    let allowed = (word.chars().count() / 3).max(1);
    valid
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| {
            let other = candidate.to_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&folded, &other), candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`? Valid: `a`, `b`"; `what` is the plural of what is listed.
pub(crate) fn remedy<'v>(word: &str, what: &str, valid: impl IntoIterator<Item = &'v str>) -> String {
    // A list that fills the screen hides the sentence before it.
    const LISTED: usize = 40;
    let valid: Vec<&str> = valid.into_iter().collect();
    let list = match valid.len() {
        0 => format!("there are no {what}"),
        n if n <= LISTED => format!("valid {what}: {}", quoted(valid.iter().copied())),
        n => format!("valid {what}: {}, and {} more", quoted(valid[..LISTED].iter().copied()), n - LISTED),
    };
    match nearest(word, valid.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? {list}"),
        None => list,
    }
}

/// `a`, `b`, `c`
pub(crate) fn quoted<'v>(words: impl IntoIterator<Item = &'v str>) -> String {
    words.into_iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let valid = ["allow_localhost", "credentials", "allowed_origins"];
        for (word, expected) in [
            ("allow_locahost", Some("allow_localhost")),
            ("allow-localhost", Some("allow_localhost")),
            ("allowLocalhost", Some("allow_localhost")),
            ("CREDENTIALS", Some("credentials")),
            ("crednetials", Some("credentials")),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, valid), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), valid), None);
    }

    #[test]
    fn a_remedy_lists_what_is_valid() {
        assert_eq!(remedy("fleat", "presets", ["fleet"]), "did you mean `fleet`? valid presets: `fleet`");
        assert_eq!(remedy("x", "presets", []), "there are no presets");
        let many: Vec<String> = (0..50).map(|n| format!("service{n}")).collect();
        assert!(remedy("y", "services", many.iter().map(String::as_str)).ends_with("and 10 more"));
    }
}
