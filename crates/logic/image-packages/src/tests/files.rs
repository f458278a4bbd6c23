//! One file of every format.

use super::*;
use crate::elements::said;
use crate::{Ecosystem, Limits, Reader, Source};

const RPMS: [&str; 3] = ["openssl 1:3.0.7-24.el9", "openssl-libs 1:3.0.7-24.el9", "zlib 1.2.11-40.el9"];

#[test]
fn the_three_databases_of_rpm() {
    let databases: [(FileFormat, &[u8]); 3] = [
        (FileFormat::RpmBerkeley, include_bytes!("../../tests/data/Packages.gz")),
        (FileFormat::RpmNdb, include_bytes!("../../tests/data/Packages.db.gz")),
        (FileFormat::RpmSqlite, include_bytes!("../../tests/data/rpmdb.sqlite.gz")),
    ];
    for (format, content) in databases {
        let mut packages = parse_file(format, "", &unzipped(content));
        packages.sort();
        assert_eq!(names(&packages), RPMS, "{format:?}");
        assert_eq!(packages[0].source, None, "{format:?}");
        assert_eq!(
            packages[1].source,
            Some(Source { name: "openssl".into(), version: "1:3.0.7-24.el9".into() }),
            "{format:?}"
        );
        assert_eq!(packages[2].architecture.as_deref(), Some("noarch"));
        assert_eq!(packages[2].license.as_deref(), Some("Apache-2.0"));
    }
}

#[test]
fn a_database_of_rpm_is_read_with_its_log() {
    let database = unzipped(include_bytes!("../../tests/data/rpmdb-logged.sqlite.gz"));
    let log = unzipped(include_bytes!("../../tests/data/rpmdb-logged.sqlite-wal.gz"));
    let (place, beside) = ("var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite-wal");
    let with = |layers: &[&[(&str, &[u8])]]| {
        let mut reader = Reader::new(Limits::default());
        for files in layers {
            reader.layer(layer(files).as_slice()).expect("reads");
        }
        reader.finish().packages
    };
    let without = ["openssl 1:3.0.7-24.el9", "zlib 1.2.11-40.el9"];
    let whole = ["openssl 1:3.0.7-24.el9", "openssl-libs 1:3.0.7-24.el9", "zlib 1.2.13-40.el9"];
    assert_eq!(names(&with(&[&[(place, &database)]])), without);
    assert_eq!(names(&with(&[&[(place, &database), (beside, &log)]])), whole);
    assert_eq!(names(&with(&[&[(beside, &log), (place, &database)]])), whole, "in any order");
    let later = with(&[&[(place, &database)], &[(beside, &log)]]);
    assert_eq!(names(&later), whole);
    assert_eq!(later.iter().map(|package| package.layer).collect::<Vec<_>>(), [0, 1, 1]);
    assert!(later.iter().all(|package| package.path == place), "{later:?}");
    // A log that ends anywhere, or is damaged, says less, and never what was not committed.
    for cut in (0..log.len()).step_by(509) {
        let packages = with(&[&[(place, &database), (beside, &log[..cut])]]);
        assert!((2..=3).contains(&packages.len()), "cut at {cut}: {packages:?}");
        let mut damaged = log.clone();
        damaged[cut] ^= 0x40;
        let packages = with(&[&[(place, &database), (beside, &damaged)]]);
        assert!((2..=3).contains(&packages.len()), "damaged at {cut}: {packages:?}");
    }
}

#[test]
fn dpkg() {
    let packages =
        parse_file(FileFormat::Dpkg, "", include_bytes!("../../tests/data/dpkg-postgresql.status"));
    assert_eq!(
        names(&packages),
        [
            "postgresql-client 11+200+deb10u5",
            "postgresql-client-11 11.22-0+deb10u2",
            "postgresql-client-common 200+deb10u5"
        ]
    );
    let source = |name: &str, version: &str| Some(Source { name: name.into(), version: version.into() });
    assert_eq!(packages[0].source, source("postgresql-common", "200+deb10u5"));
    assert_eq!(packages[1].source, source("postgresql-11", "11.22-0+deb10u2"));
    let removed = "Package: a\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: b\nStatus: install ok \
                   half-configured\nVersion: 2\n\nPackage: distroless\nVersion: 3\n\nPackage: no-version\n";
    assert_eq!(parsed(FileFormat::Dpkg, removed.as_bytes()), ["b 2", "distroless 3"]);
}

#[test]
fn apk() {
    let text = "C:Q1=\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\nL:Apache-2.0\no:openssl\nF:lib\nR:libcrypto.so.3\n\n\
                P:musl\nV:1.2.4-r2\no:musl\n";
    let packages = parse_file(FileFormat::Apk, "", text.as_bytes());
    assert_eq!(names(&packages), ["libcrypto3 3.1.4-r5", "musl 1.2.4-r2"]);
    assert_eq!(packages[0].source, Some(Source { name: "openssl".into(), version: "3.1.4-r5".into() }));
    assert_eq!(packages[1].source, None);
}

#[test]
fn python_and_node() {
    let metadata = "Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6.2\nLicense: MIT\n\nVersion: 9\n";
    assert_eq!(parsed(FileFormat::PythonMetadata, metadata.as_bytes()), ["Flask_Login 0.6.2"]);
    let module = br#"{"name": "@babel/core", "version": "7.0.0", "license": {"type": "MIT"}}"#;
    assert_eq!(parsed(FileFormat::NodePackage, module), ["@babel/core 7.0.0"]);
    let lock = br#"{"lockfileVersion": 3, "packages": {"": {"name": "app", "version": "1.0.0"},
        "node_modules/lodash": {"version": "4.17.15"}, "node_modules/a/node_modules/@s/b": {"version": "1.0.1"},
        "node_modules/own": {"link": true, "resolved": "own"}}}"#;
    assert_eq!(parsed(FileFormat::NodeLock, lock), ["@s/b 1.0.1", "lodash 4.17.15"]);
    let old = br#"{"dependencies": {"a": {"version": "1.0.0", "dependencies": {"b": {"version": "2.0.0"}}},
        "c": {"version": "git+ssh://x"}}}"#;
    assert_eq!(parsed(FileFormat::NodeLock, old), ["a 1.0.0", "b 2.0.0"]);
}

#[test]
fn binaries() {
    assert_eq!(
        parsed(FileFormat::Binary, &go_binary()),
        ["stdlib 1.22.1", "golang.org/x/net v0.7.0", "github.com/new/name v1.2.0"]
    );
    assert_eq!(parsed(FileFormat::Binary, &auditable_binary()), ["time 0.1.44"]);
}

#[test]
fn what_lies_across_two_windows_of_a_large_binary_is_found() {
    let mut large = vec![0; 3 << 20];
    large[..4].copy_from_slice(b"\x7fELF");
    let at = (2 << 20) - 40;
    let go = go_binary();
    large[at..at + go.len()].copy_from_slice(&go);
    let limits = crate::Limits { file: 2 << 20, ..crate::Limits::default() };
    assert_eq!(crate::binaries::parse(large.as_slice(), &limits).expect("reads").len(), 3);
}

#[test]
fn java() {
    let pom = b"#made\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n";
    let inner = archive(&[("META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", pom)], false);
    let manifest =
        b"Manifest-Version: 1.0\r\nImplementation-Title: The Library\r\nImplementation-Version: 1.5\r\n";
    let entries: [(&str, &[u8]); 3] = [
        ("META-INF/", b""),
        ("META-INF/MANIFEST.MF", manifest),
        ("BOOT-INF/lib/log4j-core-2.14.1.jar", &inner),
    ];
    for outer in [archive(&entries, true), archive(&entries[1..], false)] {
        let packages = parse_file(FileFormat::Java, "lib-1.0.jar", &outer);
        assert_eq!(names(&packages), ["org.apache.logging.log4j:log4j-core 2.14.1", "lib 1.5"]);
        assert_eq!(packages[0].path, "!BOOT-INF/lib/log4j-core-2.14.1.jar");
        assert_eq!(packages[0].ecosystem, Ecosystem::Maven);
    }
}

#[test]
fn os_release() {
    let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\nVERSION_CODENAME=bookworm\n";
    let found = said(FileFormat::OsRelease, text.as_bytes()).distribution.expect("is one");
    assert_eq!((found.id.as_str(), found.version.as_deref()), ("debian", Some("12")));
    assert_eq!(found.codename.as_deref(), Some("bookworm"));
    assert!(said(FileFormat::OsRelease, b"NAME=x\n").distribution.is_none());
}

#[test]
fn package_urls() {
    let distribution = said(FileFormat::OsRelease, b"ID=debian\nVERSION_ID=12\n").distribution;
    let of = |ecosystem, name: &str, version: &str| {
        let package =
            Package { architecture: Some("amd64".into()), ..Package::new(ecosystem, name, version) };
        package.purl(distribution.as_ref())
    };
    for (ecosystem, name, version, url) in [
        (
            Ecosystem::Deb,
            "libc6",
            "2.36-9+deb12u4",
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12",
        ),
        (Ecosystem::Python, "Flask_Login", "0.6.2", "pkg:pypi/flask-login@0.6.2"),
        (Ecosystem::Npm, "@babel/core", "7.0.0", "pkg:npm/%40babel/core@7.0.0"),
        (Ecosystem::Go, "golang.org/x/net", "v0.7.0", "pkg:golang/golang.org/x/net@v0.7.0"),
        (Ecosystem::Maven, "org.slf4j:slf4j-api", "1.7", "pkg:maven/org.slf4j/slf4j-api@1.7"),
        (Ecosystem::Cargo, "time", "0.1.44", "pkg:cargo/time@0.1.44"),
        (
            Ecosystem::Rpm,
            "openssl",
            "1:3.0-1",
            "pkg:rpm/debian/openssl@3.0-1?arch=amd64&distro=debian-12&epoch=1",
        ),
    ] {
        assert_eq!(of(ecosystem, name, version), url);
    }
}
