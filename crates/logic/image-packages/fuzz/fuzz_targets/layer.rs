//! Layers, separated by a mark, must neither panic nor take long nor name more packages than the limits allow.

#![no_main]

use image_packages::{Limits, Reader};
use libfuzzer_sys::fuzz_target;

const MARK: u8 = 0xfe;

fuzz_target!(|input: &[u8]| {
    let limits = Limits { bytes: 1 << 24, entries: 10_000, packages: 1_000, file: 1 << 22, ..Limits::default() };
    let mut reader = Reader::new(limits);
    for layer in input.split(|byte| *byte == MARK).take(4) {
        if reader.layer(layer).is_err() {
            return;
        }
    }
    assert!(reader.finish().packages.len() <= 1_000);
});
