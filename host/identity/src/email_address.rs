//! What passes for an e-mail address, in one pass over the text.
//!
//! Stricter than the standard: no quoted local parts, no address literals, no host without a dot. What
//! passes can stand in a key of the backplane and in a header as it is.

/// Longest address that SMTP can carry (RFC 5321 §4.5.3.1.3, without the brackets).
const MAX_BYTES: usize = 254;
/// Longest local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;
/// Longest label of a domain (RFC 1035 §2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// As addresses are stored and compared: trimmed and lower case.
pub(crate) fn normalise(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whether a normalised text is an address.
pub(crate) fn is_valid(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else { return false };
    address.len() <= MAX_BYTES && is_local_part(local) && is_domain(domain)
}

fn is_local_part(local: &str) -> bool {
    local.len() <= MAX_LOCAL_BYTES
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(character: char) -> bool {
    character.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(character)
}

fn is_domain(domain: &str) -> bool {
    let mut labels = 0;
    let mut last = "";
    for label in domain.split('.') {
        let fits = !label.is_empty()
            && label.len() <= MAX_LABEL_BYTES
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_alphanumeric() || character == '-');
        if !fits {
            return false;
        }
        labels += 1;
        last = label;
    }
    labels > 1 && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_valid, normalise};

    #[test]
    fn addresses_that_people_have_pass() {
        for address in [
            "a@b.co",
            "ann@example.com",
            "ann.lee+shop@mail.example.co.uk",
            "o'brien@example.ie",
            "1234@5678.de",
            "jörg@müller.de",
            "用户@例子.公司",
            "x@xn--mller-kva.de",
        ] {
            assert!(is_valid(address), "{address}");
        }
    }

    #[test]
    fn what_is_no_address_does_not_pass() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("a@{}.com", "b".repeat(64));
        let long = format!("{}@{}.com", "a".repeat(60), "b.".repeat(100));
        for address in [
            "",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "ann@@example.com",
            "ann@example.com@evil.com",
            "ann@example..com",
            "ann@.example.com",
            "ann@example.com.",
            "ann@-example.com",
            "ann@127.0.0.1",
            ".ann@example.com",
            "ann.@example.com",
            "an..n@example.com",
            "an n@example.com",
            "ann@exam ple.com",
            "\"ann\"@example.com",
            "ann@[127.0.0.1]",
            "<ann@example.com>",
            "ann@example.com\r\nBcc: eve@example.com",
            "ann:x@example.com",
            "ann,eve@example.com",
            &long_local,
            &long_label,
            &long,
        ] {
            assert!(!is_valid(address), "{address}");
        }
    }

    #[test]
    fn spaces_and_capitals_do_not_make_another_person() {
        assert_eq!(normalise(" \tAnn@Example.COM\n"), "ann@example.com");
    }

    proptest! {
        /// Whatever passes can be sent to and can stand in a key.
        #[test]
        fn what_passes_is_an_address_to_the_mailer_too(text in "[ -~äß@.\\-\r\n\t\"<>]{0,40}@?[a-z0-9.\\-@ ]{0,20}") {
            let address = normalise(&text);
            if is_valid(&address) {
                prop_assert!(address.parse::<lettre::Address>().is_ok(), "{address:?}");
                prop_assert!(!address.contains(|c: char| c.is_control() || c.is_whitespace() || ":,;<>\"()\\".contains(c)));
                prop_assert_eq!(address.matches('@').count(), 1);
            }
        }

        #[test]
        fn plain_addresses_pass(local in "[a-z0-9]{1,20}(\\.[a-z0-9_+-]{1,10}){0,3}", domain in "[a-z0-9]{1,20}(\\.[a-z0-9]{1,10}){0,2}\\.[a-z]{2,6}") {
            let address = format!("{local}@{domain}");
            prop_assert!(is_valid(&address));
        }
    }
}
