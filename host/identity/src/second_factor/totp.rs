//! Codes of authenticators: TOTP with SHA-1, 6 digits, 30 seconds (RFC 6238).

use std::time::Duration;

use totp_rs::{Algorithm, Secret, TOTP};

use crate::one_time_code::plain;
use crate::secret::{fill, same};

const DIGITS: usize = 6;
const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one that count: clocks differ, and typing takes time.
const SKEW: u64 = 1;
/// 160 bits, as RFC 4226 §4 recommends.
const SECRET_BYTES: usize = 20;
/// How long a step stays noted as used: longer than the three steps in which its code is right.
pub(super) const REPLAY_GUARD: Duration = Duration::from_secs(120);

/// A new authenticator.
pub(super) struct Enrolment {
    /// Base32.
    pub(super) secret: String,
    /// What a QR code shows.
    pub(super) uri: String,
}

/// Makes one that the app shows as `<app>: <account>`.
pub(super) fn enrol(app: &str, account: &str) -> Option<Enrolment> {
    let mut secret = vec![0; SECRET_BYTES];
    fill(&mut secret);
    // A colon is what separates the two.
    let plain = |text: &str| text.replace(':', " ");
    let totp = authenticator(secret, Some(plain(app)), plain(account))?;
    Some(Enrolment { secret: totp.get_secret_base32(), uri: totp.get_url() })
}

/// The step whose code it is, if it is one of those that count at `now` (seconds since 1970).
pub(super) fn matching_step(secret: &str, typed: &str, now: u64) -> Option<u64> {
    let typed = plain(typed).filter(|code| code.len() == DIGITS)?;
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().ok()?;
    let totp = authenticator(secret, None, String::new())?;
    let present = now / STEP_SECONDS;
    let steps = present.saturating_sub(SKEW)..=present.saturating_add(SKEW);
    // All of them are compared, so that time does not tell which it was.
    steps.fold(None, |found, step| {
        let is_right = same(&totp.generate(step * STEP_SECONDS), &typed);
        if is_right { Some(step) } else { found }
    })
}

fn authenticator(secret: Vec<u8>, issuer: Option<String>, account: String) -> Option<TOTP> {
    TOTP::new(Algorithm::SHA1, DIGITS, 1, STEP_SECONDS, secret, issuer, account).ok()
}

#[cfg(test)]
mod tests {
    use super::{enrol, matching_step};

    /// `12345678901234567890`, the secret of RFC 6238's appendix B.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_are_those_of_the_standard() {
        // The last six digits of the appendix's eight.
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(matching_step(SECRET, code, time), Some(time / 30), "{time}");
            assert_eq!(
                matching_step(SECRET, &format!("{} {}", &code[..3], &code[3..]), time),
                Some(time / 30)
            );
        }
    }

    #[test]
    fn one_step_before_and_after_counts_and_no_more() {
        let step = 1_111_111_111 / 30;
        for (offset, counts) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let now = 1_111_111_111_u64.saturating_add_signed(offset);
            assert_eq!(matching_step(SECRET, "050471", now), counts.then_some(step), "{offset}");
        }
    }

    #[test]
    fn what_is_no_code_matches_nothing() {
        for typed in ["", "05047", "0504711", "o50471", "０５０４７１"] {
            assert_eq!(matching_step(SECRET, typed, 1_111_111_111), None, "{typed}");
        }
        assert_eq!(matching_step("not base32!", "050471", 1_111_111_111), None);
    }

    #[test]
    fn an_enrolment_can_be_scanned() {
        let enrolment = enrol("My: App", "ann@example.com").unwrap();
        assert_eq!(enrolment.secret.len(), 32);
        assert!(
            enrolment.uri.starts_with("otpauth://totp/My%20%20App:ann%40example.com?"),
            "{}",
            enrolment.uri
        );
        assert!(enrolment.uri.contains(&format!("secret={}", enrolment.secret)));
        assert!(enrolment.uri.contains("issuer=My%20%20App"));
    }
}
