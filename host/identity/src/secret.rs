//! Random values, their hashes, and comparing without telling where a difference is.

use std::hint::black_box;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of a token: as many as of a session's (§5.1).
const TOKEN_BYTES: usize = 32;

/// Fills with what nobody can guess.
///
/// # Panics
/// When the system has no randomness: nothing made without it may go out.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the system gives random bytes");
}

/// A new token: 64 lower-case hexadecimal digits.
pub(crate) fn token() -> String {
    let mut bytes = [0; TOKEN_BYTES];
    fill(&mut bytes);
    hex(&bytes)
}

/// Whether a text can be a token at all: nothing else is worth a look into the store.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == TOKEN_BYTES * 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A code of so many decimal digits, each as likely as any other.
pub(crate) fn digits(length: usize) -> String {
    let mut code = String::with_capacity(length);
    while code.len() < length {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        // 250 is the largest multiple of ten that a byte holds: the rest would favour small digits.
        let fair = bytes.iter().filter(|byte| **byte < 250);
        code.extend(fair.take(length - code.len()).map(|byte| char::from(b'0' + byte % 10)));
    }
    code
}

/// SHA-256, in lower-case hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Whether two texts are the same, in a time that depends on their lengths only.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let differences =
        one.bytes().zip(other.bytes()).fold(0_u8, |differences, (a, b)| black_box(differences | (a ^ b)));
    one.len() == other.len() && differences == 0
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| if let [high, low] = *pair { Some(digit(high)? << 4 | digit(low)?) } else { None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{digits, hex, is_token, same, sha256, token, unhex};

    #[test]
    fn tokens_are_different_and_look_like_tokens() {
        let (one, other) = (token(), token());
        assert_ne!(one, other);
        assert!(is_token(&one) && is_token(&other));
        assert!(!is_token("") && !is_token(&one[1..]) && !is_token(&one.to_uppercase().replace('0', "G")));
    }

    #[test]
    fn codes_have_the_length_asked_for_and_every_digit() {
        assert_eq!(digits(12).len(), 12);
        let many = digits(2000);
        assert!(('0'..='9').all(|digit| many.matches(digit).count() > 100), "{many}");
    }

    #[test]
    fn comparing_looks_at_all_of_both() {
        assert!(same("", "") && same("abc", "abc"));
        assert!(!same("abc", "abd") && !same("abc", "ab") && !same("", "a"));
    }

    #[test]
    fn hashes_and_digits_are_the_usual_ones() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(unhex("00ffA5"), Some(vec![0, 255, 165]));
        assert_eq!((unhex("0"), unhex("0g")), (None, None));
        assert_eq!(hex(&[0, 255, 165]), "00ffa5");
    }
}
