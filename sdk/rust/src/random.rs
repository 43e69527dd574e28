//! Random values, good enough for secrets.
//!
//! Crates that draw from `getrandom` (`rand`, `uuid`) work with this crate's feature `getrandom` and
//! `--cfg getrandom_backend="custom"` in `RUSTFLAGS`.

/// A random number.
#[must_use]
pub fn u64() -> u64 {
    crate::host::random_u64()
}

/// This many random bytes.
#[must_use]
pub fn bytes(len: usize) -> Vec<u8> {
    crate::host::random_bytes(len)
}

/// Fills a buffer with random bytes.
pub fn fill(buffer: &mut [u8]) {
    buffer.copy_from_slice(&bytes(buffer.len()));
}

#[cfg(all(target_family = "wasm", feature = "getrandom"))]
#[expect(unsafe_code, reason = "the signature that getrandom's custom backend asks for")]
mod backend {
    /// # Safety
    /// `dest` is valid for writes of `len` bytes; getrandom promises it.
    #[unsafe(no_mangle)]
    unsafe extern "Rust" fn __getrandom_v03_custom(
        dest: *mut u8,
        len: usize,
    ) -> Result<(), getrandom::Error> {
        let bytes = super::bytes(len);
        // SAFETY: `bytes` holds `len` bytes that cannot overlap `dest`.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), dest, len) };
        Ok(())
    }
}
