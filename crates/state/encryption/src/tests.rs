//! Sealing, rotation, and the file.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn ring() -> KeyRing {
    KeyRing::in_memory(Environment::real())
}

#[test]
fn opens_only_what_it_sealed_for_the_same_purpose() {
    let ring = ring();
    let text = ring.seal("secret/a", b"hunter2");
    assert_eq!(ring.open("secret/a", &text).expect("opens").as_slice(), b"hunter2");
    assert_eq!(ring.open("secret/b", &text), Err(OpenError::Refused));
    assert_ne!(text, ring.seal("secret/a", b"hunter2"), "every sealing has its own nonce");
    assert!(matches!(self::ring().open("secret/a", &text), Err(OpenError::UnknownKey(_))));
    for bad in ["", "ls1", "ls1.", "ls1.0.", "ls1.0000000000000000.", "ls2.x.y", "ls1.+000000000000000.AAAA"]
    {
        let error = ring.open("secret/a", bad).expect_err("refused");
        assert!(matches!(error, OpenError::Malformed | OpenError::UnknownKey(_)), "{bad}: {error}");
    }
}

#[test]
fn neither_key_nor_value_shows() {
    let ring = ring();
    let text = ring.seal("p", b"hunter2");
    let key = hex::encode(*ring.current().newest().bytes);
    for shown in [format!("{ring:?}"), format!("{:?}", ring.list()), text] {
        assert!(!shown.contains(&key) && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn the_key_id_is_bound() {
    let ring = ring();
    let text = ring.seal("p", b"x");
    let old = ring.list()[0].id;
    let new = ring.rotate().expect("rotates");
    let forged = text.replacen(&old.to_string(), &new.to_string(), 1);
    assert_eq!(ring.open("p", &forged), Err(OpenError::Refused));
}

#[test]
fn old_keys_open_until_they_retire() {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("region.keys");
    let ring = KeyRing::load(&path, environment.clone()).expect("makes");
    let old = ring.seal("p", b"x");
    simulation.advance(Duration::from_secs(10));
    let new = ring.rotate().expect("rotates");
    assert!(!ring.is_current(&old) && ring.is_current(&ring.seal("p", b"x")));
    assert_eq!(ring.open("p", &old).expect("opens").as_slice(), b"x");

    simulation.advance(Duration::from_secs(59));
    assert!(ring.retire(Duration::from_secs(60)).expect("keeps").is_empty());
    simulation.advance(Duration::from_secs(1));
    assert_eq!(ring.retire(Duration::from_secs(60)).expect("drops").len(), 1);
    assert!(matches!(ring.open("p", &old), Err(OpenError::UnknownKey(_))));
    assert!(ring.retire(Duration::ZERO).expect("keeps the last").is_empty());
    let again = KeyRing::load(&path, environment).expect("loads");
    assert_eq!(again.list().iter().map(|key| key.id).collect::<Vec<_>>(), [new]);
}

#[test]
fn another_process_adds_a_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("region.keys");
    let server = KeyRing::load(&path, Environment::real()).expect("makes");
    let command = KeyRing::load(&path, Environment::real()).expect("loads");
    assert!(!server.reload().expect("reads"));
    let added = command.rotate().expect("rotates");
    assert_eq!(server.clone().list().len(), 1);
    // Its own rotation does not lose the other's key.
    server.rotate().expect("rotates");
    assert_eq!((server.list().len(), server.list()[1].id), (3, added));
    assert!(command.reload().expect("reads"));
    let sealed = server.seal("p", b"x");
    assert!(command.is_current(&sealed) && command.open("p", &sealed).is_ok());
}

#[test]
fn the_file_is_private_and_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("region.keys");
    let ring = KeyRing::load(&path, Environment::real()).expect("makes");
    let mode = |path: &Path| fs::metadata(path).expect("exists").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    // What a crash in the middle of a write leaves behind is in nobody's way.
    fs::write(path.with_extension("new"), "half a k").expect("writes");
    ring.rotate().expect("rotates");
    assert_eq!(mode(&path), 0o600);
    assert!(!path.with_extension("new").exists());

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("sets");
    let exposed = KeyRing::load(&path, Environment::real()).expect_err("refused");
    assert!(matches!(exposed, KeyFileError::Exposed { mode: 0o640, .. }), "{exposed}");
    for (text, wrong) in [("# nothing\n", 0), ("# x\n\nzz 2024-01-02T03:04:05Z 00\n", 3)] {
        fs::remove_file(&path).expect("removes");
        let mut options = fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
        std::io::Write::write_all(&mut options.open(&path).expect("opens"), text.as_bytes()).expect("writes");
        let error = KeyRing::load(&path, Environment::real()).expect_err("refused");
        assert!(matches!(error, KeyFileError::Malformed { line, .. } if line == wrong), "{error}");
    }
    fs::remove_file(&path).expect("removes");
    // A ring at work must not replace its lost keys by others.
    assert!(matches!(ring.rotate(), Err(KeyFileError::Lost(_))));
    assert!(!path.exists());
}

proptest! {
    #[test]
    fn any_change_is_refused(plain: Vec<u8>, purpose: String, at: prop::sample::Index, bit in 0..8u8) {
        let ring = ring();
        let text = ring.seal(&purpose, &plain);
        prop_assert_eq!(&**ring.open(&purpose, &text).expect("opens"), &plain);
        let mut bytes = text.clone().into_bytes();
        let index = at.index(bytes.len());
        bytes[index] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            let same_id = changed.eq_ignore_ascii_case(&text) && index < 20;
            prop_assert!(same_id || ring.open(&purpose, &changed).is_err());
        }
    }

    #[test]
    fn nothing_panics(text: String, purpose: String) {
        let ring = ring();
        prop_assert!(ring.open(&purpose, &text).is_err());
        prop_assert!(!ring.is_current(&text));
    }
}
