//! Secrets of authenticators at rest: `enc:v2:<kid>:<iv>:<tag>:<data>`, AES-256-GCM.
//!
//! `kid` is the first 8 hexadecimal digits of the key's SHA-256; `iv` (12 bytes), `tag` (16 bytes) and `data`
//! are hexadecimal digits. Base64 in their place is read too.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};

use crate::secret::{fill, hex, unhex};

const PREFIX: &str = "enc:v2:";
const KEY_BYTES: usize = 32;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&STANDARD, LENIENT), GeneralPurpose::new(&URL_SAFE, LENIENT)];

/// The keys.
#[derive(Debug)]
pub(crate) struct Vault {
    /// What new secrets are encrypted with.
    current: Option<SealingKey>,
    legacy: Vec<SealingKey>,
}

struct SealingKey {
    id: String,
    cipher: LessSafeKey,
}

/// A secret that was read.
pub(crate) struct Opened {
    /// The authenticator's secret, base32.
    pub(crate) secret: String,
    /// Whether it should be encrypted anew.
    pub(crate) is_legacy: bool,
}

impl Vault {
    /// Keys as `TOTP_ENCRYPTION_KEY` and `TOTP_ENCRYPTION_LEGACY_KEYS` spell them; empty ones are none.
    pub(crate) fn new(current: Option<&str>, legacy: &[String]) -> Self {
        let key = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).and_then(SealingKey::read);
        Self { current: current.and_then(key), legacy: legacy.iter().filter_map(|text| key(text)).collect() }
    }

    /// Whether secrets can be encrypted.
    pub(crate) fn has_key(&self) -> bool {
        self.current.is_some()
    }

    /// Encrypts; none without a key.
    pub(crate) fn seal(&self, secret: &str) -> Option<String> {
        let key = self.current.as_ref()?;
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce);
        let mut data = secret.as_bytes().to_vec();
        let sealed = key.cipher.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut data,
        );
        let tag = sealed.ok()?;
        Some(format!("{PREFIX}{}:{}:{}:{}", key.id, hex(&nonce), hex(tag.as_ref()), hex(&data)))
    }

    /// Decrypts. Errors say what is wrong without the secret.
    pub(crate) fn open(&self, sealed: &str) -> Result<Opened, String> {
        let parts: Vec<&str> =
            sealed.strip_prefix(PREFIX).ok_or("it is not in the form enc:v2")?.split(':').collect();
        let [id, nonce, tag, data] = parts[..] else {
            return Err("it does not have the four parts of enc:v2".to_owned());
        };
        let nonce = bytes(nonce, Some(NONCE_LEN)).ok_or("its iv is not 12 bytes")?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| "its iv is not 12 bytes")?;
        let tag = bytes(tag, Some(AES_256_GCM.tag_len())).ok_or("its tag is not 16 bytes")?;
        let mut data = bytes(data, None).ok_or("its data is neither hexadecimal nor base64")?;
        data.extend(tag);
        let is_current = self.current.as_ref().is_some_and(|key| key.id == id);
        let key = self.current.iter().chain(&self.legacy).find(|key| key.id == id);
        let key = key.ok_or_else(|| format!("none of the keys has the id {id}"))?;
        let plain = key.cipher.open_in_place(nonce, Aad::empty(), &mut data);
        let plain = plain.map_err(|_| "it was altered, or another key has the same id")?;
        let secret = String::from_utf8(plain.to_vec()).map_err(|_| "it holds no text")?;
        Ok(Opened { secret, is_legacy: !is_current })
    }
}

impl SealingKey {
    fn read(text: &str) -> Option<Self> {
        let key = bytes(text, Some(KEY_BYTES))
            .unwrap_or_else(|| digest(&SHA256, text.as_bytes()).as_ref().to_vec());
        let id = hex(&digest(&SHA256, &key).as_ref()[..4]);
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
        Some(Self { id, cipher })
    }
}

/// Bytes as hexadecimal digits or base64, exactly so many where that is known.
fn bytes(text: &str, length: Option<usize>) -> Option<Vec<u8>> {
    let fits = |bytes: &Vec<u8>| length.is_none_or(|length| bytes.len() == length);
    let base64 = || BASE64.iter().find_map(|engine| engine.decode(text).ok().filter(fits));
    unhex(text).filter(fits).or_else(base64)
}

/// Keys are not printed.
impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::{SealingKey, Vault};
    use crate::secret::{hex, sha256, unhex};

    #[test]
    fn a_key_may_be_spelt_in_several_ways() {
        let key = [0xfb_u8; 32];
        let id = |text: &str| SealingKey::read(text).unwrap().id;
        let spelt = id(&hex(&key));
        assert_eq!(spelt, id(&STANDARD.encode(key)));
        assert_eq!(spelt, id(&URL_SAFE_NO_PAD.encode(key)));
        assert_eq!(id("correct horse"), sha256_of_bytes(&unhex(&sha256("correct horse")).unwrap()));
        assert_ne!(id("correct horse"), id("correct horses"));
    }

    fn sha256_of_bytes(bytes: &[u8]) -> String {
        hex(&ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()[..4])
    }

    #[test]
    fn secrets_are_read_with_the_key_that_sealed_them() {
        let old = Vault::new(Some("old"), &[]);
        let new = Vault::new(Some("new"), &["old".to_owned()]);
        let sealed = old.seal("JBSWY3DPEHPK3PXP").unwrap();
        assert!(sealed.starts_with("enc:v2:") && sealed.split(':').count() == 6 && !sealed.contains("JBSWY"));
        let opened = new.open(&sealed).unwrap();
        assert_eq!((&*opened.secret, opened.is_legacy), ("JBSWY3DPEHPK3PXP", true));
        let resealed = new.seal(&opened.secret).unwrap();
        assert!(!new.open(&resealed).unwrap().is_legacy);
        assert!(old.open(&resealed).is_err_and(|error| error.contains("none of the keys")));
        let none = Vault::new(Some("  "), &[]);
        assert!(!none.has_key() && none.seal("x").is_none() && none.open(&sealed).is_err());
    }

    #[test]
    fn an_altered_secret_is_refused() {
        let vault = Vault::new(Some("key"), &[]);
        let sealed = vault.seal("JBSWY3DPEHPK3PXP").unwrap();
        let last = if sealed.ends_with('0') { "1" } else { "0" };
        let altered = format!("{}{last}", &sealed[..sealed.len() - 1]);
        assert!(vault.open(&altered).is_err_and(|error| error.contains("altered")));
        for broken in
            ["", "JBSWY3DPEHPK3PXP", "enc:v2:", "enc:v2:a:b:c", "enc:v2:a:b:c:d:e", "enc:v1:a:b:c:d"]
        {
            assert!(vault.open(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn base64_parts_are_read_too() {
        let vault = Vault::new(Some("key"), &[]);
        let sealed = vault.seal("JBSWY3DPEHPK3PXP").unwrap();
        let parts: Vec<&str> = sealed.split(':').collect();
        let base64 = |at: usize| STANDARD.encode(unhex(parts[at]).unwrap());
        let same = format!("enc:v2:{}:{}:{}:{}", parts[2], base64(3), base64(4), base64(5));
        assert_eq!(vault.open(&same).unwrap().secret, "JBSWY3DPEHPK3PXP");
    }

    proptest! {
        #[test]
        fn anything_can_be_asked_to_open(text in "(enc:v2:)?[0-9a-f:=+/é]{0,80}") {
            prop_assert!(Vault::new(Some("key"), &[]).open(&text).is_err());
        }
    }
}
