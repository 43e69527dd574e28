//! Ids that nobody can guess.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

/// 20 characters: 15 random bytes in base64url. `None` when the system has no randomness to give.
pub(crate) fn fresh(random: &SystemRandom) -> Option<Arc<str>> {
    let mut bytes = [0; 15];
    random.fill(&mut bytes).ok()?;
    let mut text = [0; 20];
    URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).ok()?;
    std::str::from_utf8(&text).ok().map(Arc::from)
}
