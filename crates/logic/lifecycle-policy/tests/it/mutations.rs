//! Changed policies, through the check of the fuzz target.

#[path = "../../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_policies_are_applied_or_refused() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/document"),
        pieces: &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "null",
            "-1",
            "0",
            "1e999",
            "99999999999",
            "\"any\"",
            "\"tagged\"",
            "\"untagged\"",
            "\"archive\"",
            "\"standard\"",
            "\"expire\"",
            "\"transition\"",
            "\"sinceImagePulled\"",
            "\"sinceImageTransitioned\"",
            "\"imageCountMoreThan\"",
            "\"tagPatternList\":[\"*\"],",
            "\"tagPrefixList\":[\"v\"],",
            "*",
            "é",
        ],
        count: 20_000,
        longest: 8 * 1024,
    };
    trial.run(check::document);
}
