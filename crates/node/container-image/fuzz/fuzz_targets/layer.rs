//! A layer, packed in any way, must neither panic nor write outside of its directory nor pass its limits.

#![no_main]

use container_image::{Limits, unpack_layer};
use libfuzzer_sys::fuzz_target;
use std::fs;

fuzz_target!(|input: &[u8]| {
    let limits = Limits { unpacked_bytes: 1 << 20, entries: 500, ..Limits::default() };
    let Ok(around) = tempfile::tempdir() else { return };
    let root = around.path().join("root");
    let outside = around.path().join("outside");
    if fs::create_dir(&root).and_then(|()| fs::write(&outside, "untouched")).is_err() {
        return;
    }
    // Whether it is a layer at all does not matter.
    let _ = unpack_layer(input, &root, &limits);
    let names = fs::read_dir(around.path()).expect("is there").count();
    assert_eq!(names, 2, "something was made outside of the root");
    assert_eq!(fs::read(&outside).expect("is there"), b"untouched");
});
