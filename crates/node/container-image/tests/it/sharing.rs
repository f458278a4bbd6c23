//! Layers that images share, and pulls at the same time.

use crate::registry::{Auth, Fault, Registry, images, noise, on_disk, options, tar};
use container_image::{Images, Limits};
use environment::Environment;
use futures::future::join_all;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_at_the_same_time_fetch_each_layer_once() {
    let registry = Registry::start(Auth::None).await;
    let base = tar(&[("base", &noise(500_000))]);
    let one = registry.image("one:v1", &[base.clone(), tar(&[("a", b"1")])]);
    let two = registry.image("two:v1", &[base, tar(&[("a", b"2")])]);
    assert_eq!(one.layers[0], two.layers[0]);
    let gate = Arc::new(Semaphore::new(0));
    registry.fault(&one.layers[0], Fault::Gate(gate.clone()));
    let (directory, images) = images(Limits::default()).await;
    let pulls: Vec<_> = (0..16)
        .map(|number| {
            let images = images.clone();
            let reference = registry.reference(if number % 2 == 0 { "one:v1" } else { "two:v1" });
            tokio::spawn(async move { images.pull(&reference, &options()).await.expect("pulls") })
        })
        .collect();
    // All of them are under way before the shared layer comes.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while registry.count("GET manifests/") < 16 {
        assert!(std::time::Instant::now() < deadline, "the pulls do not start");
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    let pulled: Vec<_> = join_all(pulls).await.into_iter().map(|image| image.expect("joins")).collect();
    assert_eq!(registry.count("GET blobs/"), 5, "two configurations, three layers");
    assert!(pulled.iter().all(|image| image.layers[0] == pulled[0].layers[0]));
    assert_eq!(on_disk(&directory).0.len(), 3);
}

#[tokio::test]
async fn directories_that_a_layer_does_not_describe_come_from_below() {
    let registry = Registry::start(Auth::None).await;
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o1777);
    header.set_uid(5);
    header.set_gid(6);
    header.set_mtime(1);
    header.set_size(0);
    builder.append_data(&mut header, "tmp", std::io::empty()).expect("appends");
    let open = builder.into_inner().expect("ends");
    let plain = tar(&[("tmp/", b"")]);
    let upper = tar(&[("tmp/x", b"1")]);
    registry.image("open:v1", &[open, upper.clone()]);
    registry.image("plain:v1", &[plain, upper.clone()]);
    registry.image("alone:v1", &[upper]);
    let (_directory, images) = images(Limits::default()).await;
    let mut modes = Vec::new();
    for name in ["open:v1", "plain:v1", "alone:v1", "open:v1"] {
        let image = images.pull(&registry.reference(name), &options()).await.expect("pulls");
        let top = image.layers.last().expect("a layer").join("tmp");
        modes.push(std::fs::metadata(top).expect("there").mode() & 0o7777);
    }
    assert_eq!(modes, [0o1777, 0o755, 0o755, 0o1777], "one layer, each time as its image needs it");
}

#[tokio::test]
async fn a_layer_that_comes_twice_is_mounted_once() {
    let registry = Registry::start(Auth::None).await;
    let empty = tar(&[]);
    let first = tar(&[("d/", b""), ("d/x", b"1"), ("kept", b"1")]);
    let hiding = tar(&[("d/", b""), ("d/.wh.x", b"")]);
    let layers = [first, empty.clone(), hiding.clone(), tar(&[("d/", b""), ("d/x", b"2")]), empty, hiding];
    registry.image("app:v1", &layers);
    let (directory, images) = images(Limits::default()).await;
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    assert_eq!(image.layers.len(), 4);
    let lower: Vec<String> = image.layers.iter().rev().map(|path| path.display().to_string()).collect();
    let root = directory.path().join("root");
    std::fs::create_dir(&root).expect("made");
    let mount = std::process::Command::new("mount")
        .args(["-t", "overlay", "-o", &format!("ro,lowerdir={}", lower.join(":")), "overlay"])
        .arg(&root)
        .status();
    let names = |path: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root.join(path)).expect("mounted");
        entries.map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned()).collect()
    };
    let seen = (names(""), names("d"));
    let unmounted = std::process::Command::new("umount").arg("-l").arg(&root).status();
    assert!(mount.expect("mount runs").success() && unmounted.expect("umount runs").success());
    assert_eq!(seen.0.len(), 2, "{seen:?}");
    assert!(seen.1.is_empty(), "hidden by the last layer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_is_given_up_leaves_nothing() {
    let registry = Registry::start(Auth::None).await;
    let stored = registry.image("app:v1", &[tar(&[("a", &noise(500_000))])]);
    registry.fault(&stored.layers[0], Fault::Stall { after: 100_000 });
    let (directory, images) = images(Limits::default()).await;
    let pull = tokio::spawn({
        let (images, reference) = (images.clone(), registry.reference("app:v1"));
        async move { images.pull(&reference, &options()).await.map(drop) }
    });
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let wait = |wanted: bool| {
        while on_disk(&directory).1 != wanted {
            assert!(std::time::Instant::now() < deadline, "the unfinished layer");
            std::thread::yield_now();
        }
    };
    wait(false);
    pull.abort();
    wait(true);
    // Nobody waits for the one that was given up.
    registry.content.lock().faults.clear();
    images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
}

#[tokio::test]
async fn a_crash_leaves_only_what_the_next_start_removes() {
    let registry = Registry::start(Auth::None).await;
    registry.image("app:v1", &[tar(&[("a", b"1")]), tar(&[("b", b"2")])]);
    let (directory, images) = images(Limits::default()).await;
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    let layers = image.layers.clone();
    drop((image, images));
    // Killed while unpacking, before a record was written, and while writing one.
    let at = |path: &str| directory.path().join(path);
    std::fs::create_dir_all(at("work/abc/etc")).expect("made");
    std::fs::create_dir_all(at("layers/dwithout-record")).expect("made");
    std::fs::write(at("layers/x.json.123.new"), "{").expect("written");
    std::fs::write(at("images/torn.json"), "{").expect("written");
    let images = Images::open(directory.path(), Environment::real()).await.expect("opens");
    assert_eq!(on_disk(&directory).0.len(), 2);
    assert!(!at("images/torn.json").exists() && !at("layers/x.json.123.new").exists());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::fs::read_dir(directory.path()).expect("read").count() > 4 {
        assert!(std::time::Instant::now() < deadline, "the leftovers stay");
        std::thread::yield_now();
    }
    // A layer is lost: the image is not offered any more, and the next pull makes it whole.
    drop(images);
    std::fs::remove_dir_all(&layers[1]).expect("removed");
    let images = Images::open(directory.path(), Environment::real()).await.expect("opens");
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    assert_eq!(std::fs::read(image.layers[1].join("b")).expect("there"), b"2");
    // After a power cut, what was not flushed is not trusted.
    drop((image, images));
    for entry in std::fs::read_dir(at("layers")).expect("read") {
        let path = entry.expect("read").path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = std::fs::read_to_string(&path).expect("read");
            let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("read");
            std::fs::write(&path, text.replace(boot.trim(), "an-earlier-boot")).expect("written");
        }
    }
    drop(Images::open(directory.path(), Environment::real()).await.expect("opens"));
    assert!(on_disk(&directory).0.is_empty());
}
