//! Images of several layers, and images that ask for too much.

use super::*;
use crate::{Inventory, Limits, ReadError, Reader};

fn read(layers: &[Vec<u8>]) -> Inventory {
    let mut reader = Reader::new(Limits::default());
    for layer in layers {
        reader.layer(layer.as_slice()).expect("reads");
    }
    reader.finish()
}

fn status(packages: &[(&str, &str)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, version) in packages {
        let paragraph = format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n");
        text.extend_from_slice(paragraph.as_bytes());
    }
    text
}

const STATUS: &str = "var/lib/dpkg/status";

#[test]
fn a_higher_layer_stands_in_for_a_lower_one_and_packages_stay_their_first_layers() {
    let first = layer(&[
        ("./etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
        (&format!("./{STATUS}"), &status(&[("bash", "5.2"), ("curl", "7.0")])),
    ]);
    let second = layer(&[(STATUS, &status(&[("bash", "5.2"), ("curl", "7.1"), ("jq", "1.6")]))]);
    for compress in [
        |layer: Vec<u8>| layer,
        |layer: Vec<u8>| gzipped(&layer),
        |layer: Vec<u8>| zstd::encode_all(layer.as_slice(), 1).expect("compresses"),
    ] {
        let inventory = read(&[compress(first.clone()), compress(second.clone())]);
        assert_eq!(names(&inventory.packages), ["bash 5.2", "curl 7.1", "jq 1.6"]);
        assert_eq!(inventory.packages.iter().map(|package| package.layer).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!(inventory.distribution.expect("is there").id, "debian");
    }
}

#[test]
fn whiteouts_opaque_directories_and_replaced_directories_hide() {
    let python = |name: &str| format!("Name: {name}\nVersion: 1\n").into_bytes();
    let below = layer(&[
        ("app/a.dist-info/METADATA", &python("a")),
        ("app/b.dist-info/METADATA", &python("b")),
        ("opt/c.dist-info/METADATA", &python("c")),
        ("srv/d.dist-info/METADATA", &python("d")),
        ("lib/e.dist-info/METADATA", &python("e")),
    ]);
    let above = layer(&[
        ("app/.wh.a.dist-info", b""),
        // What comes with the opaque directory's own layer stays, on either side of the mark.
        ("opt/x.dist-info/METADATA", &python("x")),
        ("opt/.wh..wh..opq", b""),
        ("opt/y.dist-info/METADATA", &python("y")),
        ("srv", b"a file now"),
        ("lib/", b""),
    ]);
    let found = names(&read(&[below, above]).packages);
    assert_eq!(found, ["b 1", "e 1", "x 1", "y 1"]);
}

#[test]
fn hard_links_long_names_and_lock_files() {
    let deep =
        format!("app/{}/n.dist-info/METADATA", "long-name-of-a-folder/".repeat(10).trim_end_matches('/'));
    let lock = br#"{"packages": {"node_modules/lodash": {"version": "4.0.0"}}}"#;
    let image = layer(&[
        (&deep, b"Name: n\nVersion: 1\n"),
        ("usr/lib/apk/db/installed", b"P:musl\nV:1-r0\n\n"),
        ("lib/apk/db/installed -> usr/lib/apk/db/installed", b""),
        ("web/package-lock.json", lock),
        ("web/node_modules/lodash/package.json", br#"{"name": "lodash", "version": "4.17.21"}"#),
        ("other/package-lock.json", lock),
        ("bin/tool", &go_binary()),
        (
            "opt/app.jar",
            &archive(&[("META-INF/MANIFEST.MF", b"Bundle-SymbolicName: x.y\nBundle-Version: 3\n")], false),
        ),
    ]);
    let inventory = read(&[image]);
    assert_eq!(
        names(&inventory.packages),
        [
            "musl 1-r0",
            "musl 1-r0",
            "n 1",
            "lodash 4.0.0",
            "lodash 4.17.21",
            "github.com/new/name v1.2.0",
            "golang.org/x/net v0.7.0",
            "stdlib 1.22.1",
            "x.y 3"
        ]
    );
    assert_eq!(inventory.packages[2].path, deep);
}

fn refused(limits: Limits, layer: &[u8]) -> ReadError {
    Reader::new(limits).layer(layer).expect_err("is refused")
}

#[test]
fn bombs_are_refused_by_name_of_the_limit() {
    let limit = |error: ReadError| match error {
        ReadError::LimitExceeded { what, .. } => what,
        other => panic!("{other}"),
    };
    let zeros = vec![0; 1 << 20];
    let small = || Limits { bytes: 1 << 19, ..Limits::default() };
    let bomb = gzipped(&layer(&[("zeros", &zeros)]));
    assert_eq!(limit(refused(small(), &bomb)), "decompressed bytes");
    let bomb = zstd::encode_all(layer(&[("zeros", &zeros)]).as_slice(), 1).expect("compresses");
    let ratio = Limits { ratio_from: 1 << 18, ..Limits::default() };
    assert_eq!(limit(refused(ratio, &bomb)), "decompressed bytes for each compressed one");
    let mut inner = archive(&[("zeros", &zeros)], false);
    assert_eq!(limit(refused(small(), &layer(&[("a.jar", &inner)]))), "decompressed bytes");
    for _ in 0..8 {
        inner = archive(&[("inner.jar", &inner)], false);
    }
    assert_eq!(limit(refused(Limits::default(), &layer(&[("a.jar", &inner)]))), "archives within each other");
    let many = status(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let few = Limits { packages: 2, ..Limits::default() };
    assert_eq!(limit(refused(few, &layer(&[(STATUS, &many)]))), "packages");
    let short = Limits { file: 10, ..Limits::default() };
    assert_eq!(limit(refused(short, &layer(&[(STATUS, &many)]))), "bytes of a package database");
    let few = Limits { entries: 2, ..Limits::default() };
    assert_eq!(limit(refused(few, &layer(&[("a", b""), ("b", b""), ("c", b"")]))), "entries");
    let mut long = tar::Header::new_gnu();
    long.set_entry_type(tar::EntryType::GNULongName);
    long.set_size(1 << 40);
    long.set_cksum();
    assert_eq!(limit(refused(Limits::default(), long.as_bytes())), "bytes of a name");
}

#[test]
fn damaged_layers_are_not_empty_ones() {
    let whole = layer(&[(STATUS, &status(&[("bash", "5.2")]))]);
    for damaged in [b"no tar at all".repeat(100), whole[..700].to_vec(), gzipped(&whole)[..100].to_vec()] {
        assert!(matches!(refused(Limits::default(), &damaged), ReadError::Unsupported { layer: 0, .. }));
    }
    assert_eq!(read(&[Vec::new()]), Inventory::default());
}
