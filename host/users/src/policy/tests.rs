use proptest::prelude::*;

use super::*;

const MINIMUM: Result<(), &str> = Err("login.passwordCharacterMinimum");
const LIMIT: Result<(), &str> = Err("login.passwordCharacterLimit");
const UPPER: Result<(), &str> = Err("login.passwordRequiresUppercase");
const LOWER: Result<(), &str> = Err("login.passwordRequiresLowercase");
const NUMBER: Result<(), &str> = Err("login.passwordRequiresNumber");
const SPECIAL: Result<(), &str> = Err("login.passwordRequiresSpecial");
const COMMON_ONE: Result<(), &str> = Err("login.passwordTooCommon");

fn strict() -> PasswordPolicyConfig {
    PasswordPolicyConfig {
        require_uppercase: true,
        require_lowercase: true,
        require_number: true,
        require_special: true,
        ..PasswordPolicyConfig::default()
    }
}

#[test]
fn the_first_broken_rule_is_the_reason() {
    let defaults = PasswordPolicyConfig::default;
    let table = [
        (defaults(), "", MINIMUM),
        (defaults(), "1234567", MINIMUM),
        (defaults(), "kx82mzqt", Ok(())),
        // Seven characters of which one takes two UTF-16 code units: eight, as in a browser.
        (defaults(), "kx82mz🦊", Ok(())),
        (defaults(), "kx82m🦊", MINIMUM),
        (defaults(), "PassWord", COMMON_ONE),
        (defaults(), "QWERTYUIOP", COMMON_ONE),
        (defaults(), "ILOVEYOU", COMMON_ONE),
        (defaults(), "passwordx9", Ok(())),
        (PasswordPolicyConfig { forbid_common: false, ..defaults() }, "password", Ok(())),
        (PasswordPolicyConfig { min_length: 4, ..defaults() }, "love", COMMON_ONE),
        (PasswordPolicyConfig { max_length: 10, ..defaults() }, "kx82mzqt12", Ok(())),
        (PasswordPolicyConfig { max_length: 10, ..defaults() }, "kx82mzqt123", LIMIT),
        (PasswordPolicyConfig { max_length: 10, ..defaults() }, "kx82mzqt🦊", Ok(())),
        (PasswordPolicyConfig { max_length: 10, ..defaults() }, "kx82mzqt1🦊", LIMIT),
        (strict(), "kx8", MINIMUM),
        (strict(), "kxzqwmtp", UPPER),
        (strict(), "KXZQWMTP", LOWER),
        (strict(), "KXZQwmtp", NUMBER),
        (strict(), "KXZQwm82", SPECIAL),
        (strict(), "KXZQwm8!", Ok(())),
        (strict(), "KXZQ wm8", Ok(())),
        (strict(), "KXZQéwm8", Ok(())),
        // Letters beyond ASCII are special, neither upper nor lower case.
        (strict(), "ÄÖÜäöü12", UPPER),
        (strict(), "PASSWORD", LOWER),
        (strict(), "Password1!", COMMON_ONE),
    ];
    for (config, password, expected) in table {
        assert_eq!(PasswordPolicy::new(&config).check(password), expected, "{password}");
    }
}

#[test]
fn seventy_two_bytes_are_the_limit_in_every_script() {
    let policy = PasswordPolicy::new(&PasswordPolicyConfig::default());
    for (unit, most) in [("k", 72), ("é", 36), ("漢", 24), ("🦊", 18)] {
        assert_eq!(policy.check(&unit.repeat(most)), Ok(()), "{unit}");
        assert_eq!(policy.check(&unit.repeat(most + 1)), LIMIT, "{unit}");
    }
}

#[test]
fn every_common_password_is_refused_in_any_case() {
    let config = PasswordPolicyConfig { min_length: 1, ..PasswordPolicyConfig::default() };
    let policy = PasswordPolicy::new(&config);
    assert!(COMMON.lines().count() >= 200);
    for word in COMMON.lines() {
        assert_eq!(word, word.trim().to_lowercase(), "the list is in lower case");
        assert!(!word.is_empty());
        assert_eq!(policy.check(word), COMMON_ONE, "{word}");
        assert_eq!(policy.check(&word.to_uppercase()), COMMON_ONE, "{word}");
    }
}

proptest! {
    /// What passes keeps every rule, said in another way.
    #[test]
    fn what_passes_keeps_every_rule(password in "\\PC{0,90}") {
        if PasswordPolicy::new(&strict()).check(&password).is_ok() {
            let units: Vec<u16> = password.encode_utf16().collect();
            prop_assert!((8..=191).contains(&units.len()) && password.len() <= 72);
            prop_assert!(units.iter().any(|unit| (0x41..=0x5a).contains(unit)));
            prop_assert!(units.iter().any(|unit| (0x61..=0x7a).contains(unit)));
            prop_assert!(units.iter().any(|unit| (0x30..=0x39).contains(unit)));
        }
    }
}
