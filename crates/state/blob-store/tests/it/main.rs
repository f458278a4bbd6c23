//! A full disk: uploads and segments say so, leave nothing behind, and go on once there is space.
//!
//! Needs the right to mount a small file system in memory; without it the tests say that they were skipped.

use blob_store::{BlobError, BlobStore, Digest};
use bytes::Bytes;
use environment::Environment;
use futures::stream;
use std::path::Path;
use std::process::Command;

/// A file system of 2 MiB that goes away with this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(dir.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("skipped: mounting needs root");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(status.is_ok_and(|status| status.success()), "unmounts");
    }
}

fn files(dir: &Path) -> usize {
    std::fs::read_dir(dir).expect("lists").count()
}

#[tokio::test]
async fn a_full_disk_ends_an_upload_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = BlobStore::local(disk.path(), Environment::real()).expect("opens");
    let id = store.start_upload("here").await.expect("starts");
    let chunk = Bytes::from(vec![7; 256 * 1024]);
    let content = stream::iter((0..16).map(|_| Ok::<_, String>(chunk.clone())));
    let failed = store.append(&id, None, content).await;
    assert!(matches!(failed, Err(BlobError::StorageFull { .. })), "{failed:?}");
    assert!(matches!(store.upload_length(&id).await, Err(BlobError::UploadNotFound(_))));
    assert_eq!(files(&disk.path().join("uploads")), 0);

    let failed = store.put_bytes(vec![7; 4 << 20].into()).await;
    assert!(matches!(failed, Err(BlobError::StorageFull { .. })), "{failed:?}");
    assert_eq!(files(&disk.path().join("incoming")), 0);
    let small = store.put_bytes(Bytes::from_static(b"fits")).await.expect("fits");
    assert_eq!(small, Digest::of(b"fits"));
}

#[tokio::test]
async fn a_segment_goes_on_after_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = BlobStore::local(disk.path(), Environment::real()).expect("opens");
    let segment = store.open_segment("logs/1", |_, _| {}).await.expect("opens");
    segment.append(b"before").await.expect("appends");
    let failed = segment.append(&vec![1; 4 << 20]).await;
    assert!(matches!(failed, Err(BlobError::StorageFull { .. })), "{failed:?}");
    segment.append(b"after").await.expect("appends once it fits");
    drop(segment);
    let records = store.read_segment("logs/1").await.expect("reads").expect("is there");
    assert_eq!(records, [Bytes::from_static(b"before"), Bytes::from_static(b"after")]);
}
