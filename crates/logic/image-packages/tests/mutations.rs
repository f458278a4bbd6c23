//! Changed files and layers, through the checks of the fuzz targets.

#[path = "../fuzz/check.rs"]
mod check;

use mutations::Trial;

#[test]
fn changed_files_name_plausible_packages() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/file"),
        pieces: &[
            "Package: ",
            "Version: ",
            "Source: a (1)\n",
            "Status: install ok installed\n",
            "P:",
            "V:",
            "\n\n",
            "Name: ",
            "{",
            "}",
            "\"packages\"",
            "\"version\"",
            "PK\u{3}\u{4}",
            "PK\u{5}\u{6}",
            "\u{0}\u{0}\u{0}\u{0}",
            "SQLite format 3\u{0}",
            "RpmP",
            "\u{7f}ELF",
            "é",
        ],
        count: 6_000,
        longest: 64 * 1024,
    };
    trial.run(check::file);
}

#[test]
fn changed_layers_stay_within_limits() {
    let trial = Trial {
        corpus: (env!("CARGO_MANIFEST_DIR"), "fuzz/corpus/layer"),
        pieces: &[
            "ustar",
            "./",
            ".wh.",
            "..",
            ".wh..wh..opq",
            "L",
            "x",
            "var/lib/dpkg/status",
            "lib/apk/db/installed",
            "\u{1f}",
            "\u{0}\u{0}\u{0}\u{0}",
            "77777777777",
            "é",
        ],
        count: 3_000,
        longest: 64 * 1024,
    };
    trial.run(check::layer);
}
