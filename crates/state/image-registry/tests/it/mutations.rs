//! Changed manifests, through the check of the fuzz target.

#[path = "../../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_manifests_are_read_or_refused() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/manifest"),
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
            "1e999",
            "18446744073709551616",
            "\"schemaVersion\":2",
            "\"manifests\":[",
            "\"layers\":[",
            "\"config\":{",
            "\"subject\":{",
            "\"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
            "sha512:",
            "sha256:..",
            "\\u0000",
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "é",
        ],
        count: 20_000,
        longest: 32 * 1024,
    };
    trial.run(check::manifest);
}
