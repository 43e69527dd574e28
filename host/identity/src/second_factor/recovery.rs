//! Recovery codes: ten, `xxxxx-xxxxx-xxxxx-xxxxx`, for the day that the telephone is gone.
//!
//! Each holds 100 random bits, so a plain SHA-256 keeps it: there is nothing to guess.

use crate::secret::{fill, sha256};

const CODES: usize = 10;
const GROUPS: usize = 4;
const GROUP: usize = 5;
/// Crockford's base32: no letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Longest input that is looked at.
const MAX_INPUT_BYTES: usize = 64;

/// New codes, as shown once.
pub(super) fn codes() -> Vec<String> {
    (0..CODES).map(|_| code()).collect()
}

fn code() -> String {
    let mut bytes = [0; GROUPS * GROUP];
    fill(&mut bytes);
    let groups: Vec<String> = bytes
        .chunks(GROUP)
        .map(|group| group.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
        .collect();
    groups.join("-")
}

/// Whether it is meant as a recovery code rather than as an authenticator's.
pub(super) fn looks_like_one(typed: &str) -> bool {
    typed.bytes().any(|byte| byte.is_ascii_alphabetic()) || characters(typed).count() > GROUP * 2
}

/// What is stored of a code, typed with or without dashes, in capitals or not.
pub(super) fn hash(typed: &str) -> Option<String> {
    if typed.len() > MAX_INPUT_BYTES {
        return None;
    }
    let typed: Vec<char> = characters(typed).map(|character| character.to_ascii_lowercase()).collect();
    if typed.len() != GROUPS * GROUP {
        return None;
    }
    let groups: Vec<String> = typed.chunks(GROUP).map(|group| group.iter().collect()).collect();
    Some(sha256(&groups.join("-")))
}

fn characters(typed: &str) -> impl Iterator<Item = char> {
    typed.chars().filter(|character| !character.is_whitespace() && *character != '-')
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{codes, hash, looks_like_one};
    use crate::secret::sha256;

    #[test]
    fn there_are_ten_different_ones_of_the_right_form() {
        let codes = codes();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), 10);
        for code in &codes {
            let groups: Vec<&str> = code.split('-').collect();
            assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 5), "{code}");
            assert!(code.chars().all(|c| c == '-' || c.is_ascii_digit() || c.is_ascii_lowercase()), "{code}");
            assert!(looks_like_one(code));
        }
    }

    #[test]
    fn the_way_of_typing_does_not_matter() {
        let code = "0abcd-efghj-kmnpq-rstvw";
        let stored = Some(sha256(code));
        assert_eq!(hash(code), stored);
        assert_eq!(hash(" 0ABCD efghj kmnpqRSTVW "), stored);
        assert_eq!(hash("0abcd-efghj-kmnpq"), None);
        assert_eq!(hash(&"a".repeat(1000)), None);
        assert!(!looks_like_one("123456") && !looks_like_one("123 456"));
    }
}
