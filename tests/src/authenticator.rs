//! The app on a person's telephone that shows a new code every 30 seconds.

use std::time::{SystemTime, UNIX_EPOCH};

use totp_rs::{Algorithm, Secret, TOTP};

/// How long a code is shown.
const STEP: u64 = 30;

/// An authenticator that has scanned a QR code.
#[derive(Clone, Debug)]
pub struct Authenticator {
    totp: TOTP,
}

impl Authenticator {
    /// Scans `otpauth://totp/…?secret=…`.
    pub fn scan(uri: &str) -> Authenticator {
        let query = uri.strip_prefix("otpauth://totp/").unwrap().split_once('?').unwrap().1;
        let secret = query.split('&').find_map(|pair| pair.strip_prefix("secret=")).unwrap();
        let secret = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
        let totp = TOTP::new(Algorithm::SHA1, 6, 1, STEP, secret, None, "account".to_owned()).unwrap();
        Authenticator { totp }
    }

    /// The code now.
    pub fn code(&self) -> String {
        self.code_in(0)
    }

    /// The code that is shown so many steps from now; a host takes those of one step to either side.
    pub fn code_in(&self, steps: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let time = now.checked_add_signed(steps * i64::try_from(STEP).unwrap()).unwrap();
        self.totp.generate(time)
    }
}
