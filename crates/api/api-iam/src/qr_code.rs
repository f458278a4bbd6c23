//! The QR code that a phone scans to learn the seed of an MFA device, as a PNG.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use qrcodegen::{QrCode, QrCodeEcc};
use std::io::Write;

/// Pixels of a module.
const SCALE: i32 = 4;
/// Modules of white around the code, as the standard asks for.
const QUIET: i32 = 4;
/// How every PNG begins.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A text as a QR code; `None` when it is longer than one can hold.
pub(crate) fn png(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let modules = code.size() + 2 * QUIET;
    let side = u32::try_from(modules * SCALE).ok()?;
    let mut pixels = Vec::new();
    for y in 0..modules {
        // Every line is preceded by its filter, which is none; a pixel is a bit, and white is one.
        let mut line = vec![0];
        let dark = |pixel: i32| code.get_module(pixel / SCALE - QUIET, y - QUIET);
        for first in (0..modules * SCALE).step_by(8) {
            line.push((0..8).fold(0u8, |byte, bit| (byte << 1) | u8::from(!dark(first + bit))));
        }
        for _ in 0..SCALE {
            pixels.extend_from_slice(&line);
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&pixels).ok()?;
    let mut header = [side.to_be_bytes(), side.to_be_bytes()].concat();
    // One bit of grey, and the only methods there are.
    header.extend_from_slice(&[1, 0, 0, 0, 0]);
    let mut png = SIGNATURE.to_vec();
    for (kind, data) in [(*b"IHDR", header), (*b"IDAT", encoder.finish().ok()?), (*b"IEND", Vec::new())] {
        chunk(&mut png, kind, &data)?;
    }
    Some(png)
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) -> Option<()> {
    png.extend_from_slice(&u32::try_from(data.len()).ok()?.to_be_bytes());
    let begin = png.len();
    png.extend_from_slice(&kind);
    png.extend_from_slice(data);
    let sum = crc32fast::hash(&png[begin..]);
    png.extend_from_slice(&sum.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn every_module_is_where_the_code_has_it() {
        let text = "otpauth://totp/phone@123456789012?secret=ABC";
        let png = png(text).expect("fits");
        assert!(png.starts_with(SIGNATURE) && png.ends_with(b"IEND\xae\x42\x60\x82"));
        let side = u32::from_be_bytes(png[16..20].try_into().expect("four bytes"));
        let begin = png.windows(4).position(|four| four == b"IDAT").expect("has pixels") + 4;
        let mut lines = Vec::new();
        flate2::read::ZlibDecoder::new(&png[begin..]).read_to_end(&mut lines).expect("inflates");
        let stride = side.div_ceil(8) as usize + 1;
        assert_eq!(lines.len(), stride * side as usize);
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).expect("fits");
        for y in 0..side {
            for x in 0..side {
                let byte = lines[y as usize * stride + 1 + x as usize / 8];
                let white = byte >> (7 - x % 8) & 1 == 1;
                let module = |pixel: u32| pixel as i32 / SCALE - QUIET;
                assert_eq!(white, !code.get_module(module(x), module(y)), "{x} {y}");
            }
        }
        assert!(super::png(&"x".repeat(5_000)).is_none());
    }
}
