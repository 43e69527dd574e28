//! The linker's output without its debug information. The C library brings a megabyte of it; the names of
//! functions, which backtraces need, are a section of their own and stay.

/// Copies a core module and leaves out the custom sections of DWARF. None when it is no module.
pub(crate) fn without_debug_information(module: &[u8]) -> Option<Vec<u8>> {
    let (header, mut rest) = module.split_at_checked(8)?;
    if !header.starts_with(b"\0asm") {
        return None;
    }
    let mut kept = header.to_vec();
    while let Some((id, after)) = rest.split_first() {
        let (size, body) = number(after)?;
        let (content, next) = body.split_at_checked(size)?;
        let is_debug = *id == 0 && custom_name(content)?.starts_with(b".debug_");
        if !is_debug {
            kept.extend_from_slice(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    Some(kept)
}

fn custom_name(content: &[u8]) -> Option<&[u8]> {
    let (length, rest) = number(content)?;
    rest.get(..length)
}

/// An unsigned LEB128 number of 32 bits, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (n, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[n + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::without_debug_information;

    const HEADER: &[u8] = b"\0asm\x01\0\0\0";

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id, u8::try_from(content.len()).unwrap()], content].concat()
    }

    #[test]
    fn only_debug_sections_go() {
        let (types, name) = (section(1, &[0]), section(0, b"\x04nameXY"));
        let debug = section(0, b"\x0b.debug_infoXY");
        let module = [HEADER, &types, &debug, &name].concat();
        assert_eq!(without_debug_information(&module).unwrap(), [HEADER, &types, &name].concat());
    }

    #[test]
    fn what_is_no_module_is_none() {
        let cut = [HEADER, &[0, 9, 1]].concat();
        for bytes in
            [&b""[..], b"\0as", b"ELF: none", &cut, &[HEADER, &[1, 0xff, 0xff, 0xff, 0xff, 0xff]].concat()]
        {
            assert_eq!(without_debug_information(bytes), None, "{bytes:?}");
        }
    }
}
