//! Changed requests, through the checks of the fuzz targets.

#[path = "../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_ranges_are_ranges_or_none() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/range"),
        pieces: &["bytes=", "-", "0", "18446744073709551615", "18446744073709551616", ",", " ", "+", "é"],
        count: 20_000,
        longest: 256,
    };
    trial.run(check::range);
}

#[test]
fn changed_paths_name_repositories_or_nothing() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/path"),
        pieces: &[
            "/",
            "//",
            "/../",
            "..",
            "%2e",
            "%2F",
            "%00",
            "\u{0}",
            "\\",
            "@",
            ":",
            "?",
            "/manifests/",
            "/blobs/",
            "/blobs/uploads/",
            "/tags/list",
            "/referrers/",
            "/v2/",
            "A",
            "é",
            "\u{200b}",
        ],
        count: 20_000,
        longest: 2 * 1024,
    };
    trial.run(check::path);
}
