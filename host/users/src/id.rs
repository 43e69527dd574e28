//! Ids of users: UUIDs of version 4, which nobody can guess.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::UserError;

/// A new id.
pub(crate) fn new() -> Result<String, UserError> {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| UserError::Store("the system gives no random numbers".to_owned()))?;
    Ok(format(bytes))
}

fn format(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_that_it_is_random() {
        assert_eq!(format([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(format([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_ne!(new().unwrap(), new().unwrap());
    }
}
