//! Changed references, through the check of the fuzz target.

#[path = "../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_references_are_read_or_refused() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/reference"),
        pieces: &[
            "/",
            "//",
            "..",
            ":",
            "@",
            "sha256:",
            "sha512:",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "localhost",
            "[::1]",
            ":65536",
            "%2e",
            "?",
            "#",
            " ",
            "\u{0}",
            "\\",
            "A",
            "é",
        ],
        count: 20_000,
        longest: 1024,
    };
    trial.run(check::reference);
}
