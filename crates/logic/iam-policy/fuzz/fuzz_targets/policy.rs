//! libFuzzer over [`check::check`]; `tests/it/mutations.rs` runs the same check in every test run.

#![no_main]

#[path = "../check.rs"]
mod check;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| check::check(input));
