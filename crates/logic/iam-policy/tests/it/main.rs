//! Scripts of policies and requests in, transcripts of decisions out.
//!
//! Each `scripts/NAME.txt` must give `scripts/NAME.out`; `UPDATE_EXPECT=1 cargo test -p iam-policy --test it` writes
//! the transcripts anew, and the difference is what a reviewer reads.

mod mutations;
mod script;

use std::path::Path;

#[test]
fn scripts_give_their_transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    for path in scripts {
        let text = std::fs::read_to_string(&path).expect("a script");
        let transcript = script::run(&text);
        let expected_path = path.with_extension("out");
        if update {
            std::fs::write(&expected_path, &transcript).expect("write the transcript");
            continue;
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        let differs = transcript.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
        assert!(
            transcript == expected,
            "{} differs; first difference (found, expected): {differs:#?}",
            path.display()
        );
    }
}
