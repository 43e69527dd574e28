//! Ids of requests: version 4 UUIDs that tell them apart in logs.

use std::sync::Arc;

/// A fresh id. Ids are no secret, so a fast generator, seeded once per thread, is enough.
pub fn fresh() -> Arc<str> {
    let text = uuid_text(fastrand::u128(..));
    // Only hexadecimal digits and hyphens are in it.
    Arc::from(String::from_utf8_lossy(&text))
}

/// The text of a version 4 UUID made of these bits.
pub fn uuid_text(random: u128) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = [b'-'; 36];
    let mut nibble = 32;
    for (at, place) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            nibble -= 1;
            *place = HEX[(bits >> (4 * nibble)) as usize & 0xf];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_is_a_version_4_uuid() {
        for random in [0, u128::MAX, fastrand::u128(..)] {
            let text = String::from_utf8(uuid_text(random).to_vec()).unwrap();
            let groups: Vec<usize> = text.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{text}");
            assert!(text[14..].starts_with('4') && text[19..].starts_with(['8', '9', 'a', 'b']), "{text}");
        }
        assert_eq!(&uuid_text(0), b"00000000-0000-4000-8000-000000000000");
        assert_ne!(fresh(), fresh());
    }
}
