//! What a stream of server-sent events says to readers, after <https://html.spec.whatwg.org/#server-sent-events>.

/// How a reader finds the ends of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// At LF, with a CR before it or without.
    Lf,
    /// At CR, LF and CRLF, as the standard has it.
    Standard,
}

/// The data of each event.
pub fn read(stream: &[u8], lines: Lines) -> Vec<Vec<u8>> {
    let mark = "\u{feff}".as_bytes();
    let stream = if lines == Lines::Standard { stream.strip_prefix(mark).unwrap_or(stream) } else { stream };
    let mut text: Vec<u8> = Vec::with_capacity(stream.len());
    for (at, &byte) in stream.iter().enumerate() {
        match (byte, stream.get(at + 1)) {
            (b'\r', Some(b'\n')) => {}
            (b'\r', _) if lines == Lines::Standard => text.push(b'\n'),
            _ => text.push(byte),
        }
    }
    let (mut events, mut data) = (Vec::new(), None::<Vec<u8>>);
    for line in text.split_inclusive(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\n")) {
        if line.is_empty() {
            events.extend(data.take());
        }
        let Some(value) = line.strip_prefix(b"data") else { continue };
        let value = match value.strip_prefix(b":") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None if value.is_empty() => value,
            None => continue,
        };
        match &mut data {
            Some(data) => data.extend([b"\n", value].concat()),
            None => data = Some(value.to_vec()),
        }
    }
    events
}
