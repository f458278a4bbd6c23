//! Changed CBOR, through the check of the fuzz target.

#[path = "../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_cbor_is_read_or_refused() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/cbor"),
        pieces: &[
            "\u{0}", "\u{1}", "\u{18}", "\u{1b}", "@", "_", "`", "a", "x", "{", "\u{7f}", "é", "¿", "ÿ",
            "\u{39f}",
        ],
        count: 20_000,
        longest: 1024,
    };
    trial.run(check::cbor);
}
