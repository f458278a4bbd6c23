//! Changed policies and requests, through the check of the fuzz target.

#[path = "../../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_policies_hold() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/policy"),
        pieces: &[
            "*",
            "?",
            "${",
            "}",
            "${*}",
            "${aws:username, 'x'}",
            "\\u0000",
            "\"",
            "[",
            "]",
            "{",
            ",",
            ":",
            "null",
            "-1",
            "1e999",
            "2012-10-17",
            "2008-10-17",
            "\"Version\"",
            "\"NotAction\"",
            "\"NotPrincipal\"",
            "\"NotResource\"",
            "\"Condition\"",
            "ForAllValues:",
            "ForAnyValue:",
            "IfExists",
            "arn:aws:iam::111111111111:role/r",
            "0.0.0.0/0",
            "\n---\n",
            "é",
        ],
        count: 20_000,
        longest: 8 * 1024,
    };
    trial.run(|input| check::check(&String::from_utf8_lossy(input)));
}
