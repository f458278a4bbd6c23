//! Changed feeds, through the check of the fuzz target.

#[path = "../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_feeds_are_read_or_refused() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/feed"),
        pieces: &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "null",
            "\"affected\"",
            "\"ranges\"",
            "\"introduced\"",
            "\"fixed\"",
            "\"0\"",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:4.0/",
            "1:2~3-4",
            "[[",
            "patched = [",
            "\n",
            "é",
        ],
        count: 6_000,
        longest: 32 * 1024,
    };
    trial.run(check::feed);
}
