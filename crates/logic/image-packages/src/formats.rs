//! Parsers of package databases and descriptions: bytes in, packages out. None fails; what does not parse is left out.

pub(crate) mod apk;
pub(crate) mod dpkg;
pub(crate) mod go;
pub(crate) mod java;
pub(crate) mod node;
pub(crate) mod os_release;
pub(crate) mod python;
pub(crate) mod rpm;
pub(crate) mod rust;

/// Lines of a text that may not be UTF-8 throughout; lines that are not are empty.
pub(crate) fn lines(content: &[u8]) -> impl Iterator<Item = &str> {
    content.split(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        std::str::from_utf8(line).unwrap_or_default()
    })
}
