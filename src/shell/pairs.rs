//! Header maps as the host serialises them: a count, the lengths of each name and value, then each name and value,
//! followed by a NUL. All numbers are 32 bits, little-endian.

/// The pairs of a serialised map, borrowed from it. `None` when the bytes are no such map.
pub fn parse(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut sizes = bytes;
    let count = take_u32(&mut sizes)?;
    let mut data = sizes.get(count.checked_mul(8)?..)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_size, value_size) = (take_u32(&mut sizes)?, take_u32(&mut sizes)?);
        pairs.push((take_text(&mut data, name_size)?, take_text(&mut data, value_size)?));
    }
    Some(pairs)
}

/// Serialises a map.
pub fn serialise(pairs: &[(&str, &str)]) -> Vec<u8> {
    serialised(pairs)
}

/// Serialises a map whose lines need not be text.
#[cfg(feature = "module")]
pub fn serialise_bytes(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    serialised(pairs)
}

fn serialised<T: AsRef<[u8]>>(pairs: &[(T, T)]) -> Vec<u8> {
    let mut out = size(pairs.len()).to_vec();
    for (name, value) in pairs {
        out.extend(size(name.as_ref().len()));
        out.extend(size(value.as_ref().len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            out.extend(text.as_ref());
            out.push(0);
        }
    }
    out
}

fn size(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_u32(bytes: &mut &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*first)).ok()
}

fn take_text<'b>(bytes: &mut &'b [u8], size: usize) -> Option<&'b [u8]> {
    let (text, rest) = bytes.split_at_checked(size)?;
    *bytes = rest.strip_prefix(&[0])?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_serialised_reads_back() {
        let pairs = [(":path", "/a"), ("x", ""), ("x", "b")];
        let bytes = serialise(&pairs);
        let read = parse(&bytes).expect("a map");
        assert_eq!(read.len(), 3);
        assert_eq!(read[0], (&b":path"[..], &b"/a"[..]));
        assert_eq!(read[1], (&b"x"[..], &b""[..]));
        assert_eq!(parse(&[]), Some(vec![]));
        assert_eq!(parse(&serialise(&[])), Some(vec![]));
    }

    #[test]
    fn what_is_no_map_is_not_read() {
        let good = serialise(&[("name", "value")]);
        for end in 1..good.len() {
            assert_eq!(parse(&good[..end]), None, "cut at {end}");
        }
        assert_eq!(parse(&[0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(parse(&[0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0]), None);
    }
}
