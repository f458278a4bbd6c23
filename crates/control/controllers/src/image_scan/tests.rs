//! Scans over a store in memory, with real layers and real advisories.

use super::observe::Observed;
use super::plan::{Step, plan};
use super::*;
use environment::{Environment, Timestamp};
use image_scans::ScanFiles;
use resources::ecr::{
    Registry, RegistryScanning, Repository, ScanFrequency, ScanStatus, ScanType, Scanning, ScanningRule,
};
use std::path::Path;
use store::MemoryStore;
use tempfile::TempDir;
use vulnerability_data::{Importer, import_path};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

struct Fixture {
    dir: TempDir,
    tables: Tables,
    blobs: BlobStore,
    controller: ImageScanController,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().expect("a directory");
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let blobs = BlobStore::local(&dir.path().join("blobs"), environment).expect("opens");
    let data = Arc::new(Data::new(dir.path().join("data")));
    let stop = CancellationToken::new();
    let controller = ImageScanController::new(tables.clone(), blobs.clone(), data, Queue::new(), stop);
    Fixture { dir, tables, blobs, controller }
}

impl Fixture {
    /// Pushes an image of one layer with these files.
    async fn push(&self, digest: &str, files: &[(&str, &str)]) -> Image {
        let mut layer = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            layer.append_data(&mut header, name, content.as_bytes()).expect("appends");
        }
        let layer = layer.into_inner().expect("finishes");
        let layer = self.blobs.put_bytes(layer.into()).await.expect("stores");
        let config = br#"{"architecture": "amd64", "author": "A"}"#;
        let config = self.blobs.put_bytes(config.to_vec().into()).await.expect("stores");
        let manifest =
            format!(r#"{{"config": {{"digest": "{config}"}}, "layers": [{{"digest": "{layer}"}}]}}"#);
        let image = Image {
            account: "123456789012".parse().expect("an account"),
            repository: "app".into(),
            digest: digest.into(),
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            artifact_type: Some(CONFIG.into()),
            manifest,
            size: 1,
            blobs: vec![],
            children: vec![],
            subject: None,
            pushed_at: Timestamp::from_seconds(0),
            storage_class: resources::ecr::StorageClass::Standard,
            archived_at: None,
            activated_at: None,
        };
        self.tables.create(image.clone()).await.expect("creates");
        image
    }

    async fn repository(&self, scan_on_push: bool) {
        let account = "123456789012".parse().expect("an account");
        let mut repository = Repository::new(account, "app", Timestamp::from_seconds(0));
        repository.scan_on_push = scan_on_push;
        self.tables.create(repository).await.expect("creates");
    }

    fn import(&self, text: &str) {
        let path = self.dir.path().join("feed.json");
        std::fs::write(&path, text).expect("writes");
        import(&self.dir.path().join("data"), &path);
    }

    async fn step(&self, image: &Image) -> Option<ImageScan> {
        self.controller.reconcile(&image.key()).await.expect("reconciles");
        self.tables.get::<ImageScan>(&image.key()).await.expect("reads").map(|row| ImageScan::clone(&row))
    }
}

fn import(data: &Path, path: &Path) {
    let mut importer = Importer::begin(data, 1, false).expect("begins");
    import_path(&mut importer, path, false, &mut |_| {}).expect("imports");
    importer.finish().expect("finishes");
}

fn tracker(vulnerabilities: &[(&str, &str)]) -> String {
    let all: Vec<String> = vulnerabilities
        .iter()
        .map(|(id, release)| {
            format!(r#""{id}": {{"description": "D", "releases": {{"buster": {release}}}}}"#)
        })
        .collect();
    format!(r#"{{"postgresql-11": {{{}}}}}"#, all.join(","))
}

const OPEN: &str = r#"{"status": "open", "urgency": "high"}"#;
const FIXED: &str = r#"{"status": "resolved", "fixed_version": "11.22-0+deb10u3", "urgency": "low"}"#;
const OLD: &str = r#"{"status": "resolved", "fixed_version": "11.20-0", "urgency": "low"}"#;

const FILES: [(&str, &str); 3] = [
    ("etc/os-release", "ID=debian\nVERSION_ID=10\n"),
    ("var/lib/dpkg/status", "Package: libpq5\nSource: postgresql-11\nVersion: 11.22-0+deb10u2\n\n"),
    ("app/requests.dist-info/METADATA", "Name: requests\nVersion: 2.0\n\n"),
];

#[tokio::test]
async fn without_data_a_scan_fails_and_with_it_finds_what_there_is() {
    let fixture = fixture();
    fixture.repository(true).await;
    let image = fixture.push("sha256:aa", &FILES).await;
    let scan = fixture.step(&image).await.expect("was scanned");
    assert_eq!((scan.status, scan.result), (ScanStatus::Failed, None));
    assert!(scan.description.contains("longshore vulnerabilities import"), "{}", scan.description);

    fixture.import(&tracker(&[("CVE-1", OPEN), ("CVE-2", FIXED), ("CVE-3", OLD)]));
    let scan = fixture.step(&image).await.expect("was scanned");
    assert_eq!(scan.status, ScanStatus::Complete);
    assert_eq!(scan.description, "The scan was completed successfully.");
    let result = scan.result.expect("has one");
    assert_eq!(
        result.counts.into_iter().collect::<Vec<_>>(),
        [("HIGH".to_owned(), 1), ("LOW".to_owned(), 1)]
    );
    assert_eq!(result.platform.as_deref(), Some("DEBIAN_10"));
    assert_eq!(result.architecture.as_deref(), Some("amd64"));
    let files = ScanFiles::of(&fixture.blobs, &image.key());
    let findings = files.findings(&result.file, 0, 10).await.expect("reads");
    assert_eq!(findings[1].name, "CVE-2");
    let package = &findings[1].packages[0];
    assert_eq!((package.name.as_str(), package.fixed.as_deref()), ("libpq5", Some("11.22-0+deb10u3")));
    assert!(package.layer.starts_with("sha256:"));

    // Nothing more to do; and an image that is gone leaves nothing.
    let again = fixture.step(&image).await.expect("is there");
    assert_eq!(again.result.map(|result| result.file), Some(result.file));
    fixture.tables.batch().delete_any::<Image>(&image.key()).commit().await.expect("deletes");
    assert!(fixture.step(&image).await.is_none());
    assert!(fixture.blobs.list_segments("image-scans").await.expect("lists").is_empty());
}

#[tokio::test]
async fn continuous_scans_follow_the_data_and_say_what_they_do_not_know() {
    let fixture = fixture();
    fixture.repository(false).await;
    let mut registry = Registry::new("123456789012".parse().expect("an account"));
    registry.scanning = Some(RegistryScanning {
        scan_type: ScanType::Enhanced,
        rules: vec![ScanningRule { frequency: ScanFrequency::ContinuousScan, filters: vec!["*".into()] }],
    });
    fixture.tables.create(registry).await.expect("creates");
    fixture.import(&tracker(&[("CVE-1", OPEN)]));
    let image = fixture.push("sha256:bb", &FILES).await;
    let scan = fixture.step(&image).await.expect("was scanned");
    assert_eq!(scan.status, ScanStatus::Active);
    assert!(
        scan.description.ends_with("There is no vulnerability data for PyPI (1 package)."),
        "{}",
        scan.description
    );
    let files = ScanFiles::of(&fixture.blobs, &image.key());
    let first = scan.result.expect("has one");
    let observed = files.findings(&first.file, 0, 1).await.expect("reads")[0].first_observed_at;

    fixture.import(&tracker(&[("CVE-1", OPEN), ("CVE-2", FIXED)]));
    let second = fixture.step(&image).await.expect("was scanned").result.expect("has one");
    assert!(second.data_generation > first.data_generation);
    let findings = files.findings(&second.file, 0, 10).await.expect("reads");
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].first_observed_at, observed, "what was there before was first observed then");
    files.findings(&first.file, 0, 1).await.expect_err("the old file is gone");
    let mut last = None;
    fixture.controller.notice_data(&mut last).await.expect("looks");
    assert_eq!(last, Some(second.data_generation));
}

#[tokio::test]
async fn images_that_cannot_be_scanned_say_why() {
    let fixture = fixture();
    fixture.repository(true).await;
    fixture.import(&tracker(&[("CVE-1", OPEN)]));
    let other = [("etc/os-release", "ID=plan9\nVERSION_ID=4\n"), FILES[1]];
    let image = fixture.push("sha256:01", &other).await;
    let scan = fixture.step(&image).await.expect("was tried");
    assert_eq!(scan.status, ScanStatus::UnsupportedImage);
    assert!(scan.description.ends_with("There is no vulnerability data for plan9 4 (1 package)."));
    let image = fixture.push("sha256:02", &[("bin/sh", "x")]).await;
    assert_eq!(fixture.step(&image).await.expect("was tried").status, ScanStatus::UnsupportedImage);
    let image = fixture.push("sha256:03", &FILES).await;
    let manifest: serde_json::Value = serde_json::from_str(&image.manifest).expect("is JSON");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest").parse().expect("a digest");
    fixture.blobs.delete(&layer).await.expect("deletes");
    let scan = fixture.step(&image).await.expect("was tried");
    assert_eq!(scan.status, ScanStatus::Failed);
    assert!(scan.description.contains("is not in the registry"), "{}", scan.description);
}

#[tokio::test]
async fn plans() {
    let fixture = fixture();
    let image = Arc::new(fixture.push("sha256:aa", &FILES).await);
    let scanning = |frequency| Some(Scanning { scan_type: ScanType::Basic, frequency });
    let observed = |image: &Arc<Image>, frequency| Observed {
        image: Some(image.clone()),
        scan: None,
        scanning: scanning(frequency),
    };
    let scans = |observed: &Observed, generation| matches!(plan(observed, generation), Step::Scan(..));
    assert!(!scans(&observed(&image, ScanFrequency::Manual), Some(1)));
    assert!(scans(&observed(&image, ScanFrequency::ScanOnPush), None));
    let index = Arc::new(Image { children: vec!["sha256:bb".into()], ..Image::clone(&image) });
    assert!(!scans(&observed(&index, ScanFrequency::ScanOnPush), Some(1)));
    let gone = Observed { image: None, scan: None, scanning: None };
    assert_eq!(plan(&gone, Some(1)), Step::Nothing);
    let mut row = ImageScan::new(&image, Timestamp::from_seconds(1));
    row.status = ScanStatus::Complete;
    row.tried_with = 1;
    for (status, frequency, generation, wanted) in [
        (ScanStatus::Complete, ScanFrequency::ContinuousScan, Some(1), false),
        (ScanStatus::Complete, ScanFrequency::ContinuousScan, Some(2), true),
        (ScanStatus::Complete, ScanFrequency::ContinuousScan, None, false),
        (ScanStatus::Complete, ScanFrequency::ScanOnPush, Some(2), false),
        (ScanStatus::Failed, ScanFrequency::ScanOnPush, Some(2), true),
        (ScanStatus::Failed, ScanFrequency::Manual, Some(2), false),
        (ScanStatus::Pending, ScanFrequency::Manual, Some(1), true),
        (ScanStatus::InProgress, ScanFrequency::Manual, None, true),
    ] {
        row.status = status;
        fixture.tables.batch().put_any(&row).commit().await.expect("writes");
        let scan = fixture.tables.get::<ImageScan>(&row.key()).await.expect("reads");
        let observed = Observed { scan, ..observed(&image, frequency) };
        assert_eq!(scans(&observed, generation), wanted, "{status:?} {frequency:?} {generation:?}");
    }
}
