//! Large layers in parts, over connections and from registries that do not do as they should; and what is unpacked while
//! more arrives.

use crate::registry::{Auth, Fault, Registry, Stored, images, noise, on_disk, options, settled, tar};
use bytes::Bytes;
use container_image::{LayerError, Limits, PullError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const PART: usize = 128 << 10;
const CONTENT: usize = 1_500_000;

fn limits() -> Limits {
    Limits { parts_from: 256 << 10, part_bytes: PART as u64, ..Limits::default() }
}

fn stored(registry: &Registry) -> (Stored, Vec<u8>) {
    let content = noise(CONTENT);
    (registry.image("app:v1", &[tar(&[("a", &content)])]), content)
}

/// Pulls `app:v1` and compares what came; answers the ranges that were asked for.
async fn pulled(registry: &Registry, limits: Limits, content: &[u8]) -> Vec<String> {
    registry.content.lock().ranges.clear();
    let (_directory, images) = images(limits).await;
    let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
    assert!(std::fs::read(image.layers[0].join("a")).expect("there") == content);
    registry.content.lock().ranges.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_layer_comes_in_parts() {
    let registry = Registry::start(Auth::Basic).await;
    let (stored, content) = stored(&registry);
    let size = registry.content.lock().blobs[&stored.layers[0]].len();
    let (_directory, images) = images(limits()).await;
    let options = crate::registry::with_password(crate::registry::PASSWORD);
    let image = images.pull(&registry.reference("app:v1"), &options).await.expect("pulls");
    assert!(std::fs::read(image.layers[0].join("a")).expect("there") == content);
    let mut ranges = registry.content.lock().ranges.clone();
    assert_eq!(ranges[0], format!("bytes=0-{}", PART - 1), "the first answer tells whether ranges are known");
    ranges
        .sort_by_key(|range| range["bytes=".len()..].split('-').next().and_then(|n| n.parse::<usize>().ok()));
    let expected: Vec<String> = (0..size)
        .step_by(PART)
        .map(|first| format!("bytes={first}-{}", (first + PART).min(size) - 1))
        .collect();
    assert_eq!(ranges, expected, "each part once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_layers_and_other_limits_come_whole() {
    let registry = Registry::start(Auth::None).await;
    let (_, content) = stored(&registry);
    assert!(pulled(&registry, Limits::default(), &content).await.is_empty());
    let alone = Limits { parts_per_layer: 1, ..limits() };
    assert!(pulled(&registry, alone, &content).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_break_off_are_taken_up_where_they_stopped() {
    let registry = Registry::start(Auth::None).await;
    let (stored, content) = stored(&registry);
    registry.fault(&stored.layers[0], Fault::CutEach { after: 70_000 });
    // Fewer attempts than there are cuts: what brought something does not count.
    let ranges = pulled(&registry, Limits { attempts: 3, ..limits() }, &content).await;
    assert!(ranges.contains(&format!("bytes=70000-{}", PART - 1)), "{ranges:?}");
    assert!(ranges.len() >= CONTENT / 70_000, "{ranges:?}");
    // The same without parts.
    let whole = Limits { attempts: 3, parts_from: u64::MAX, ..limits() };
    let ranges = pulled(&registry, whole, &content).await;
    assert_eq!(ranges[0], "bytes=70000-");
    // Answers that end early in good order.
    registry.fault(&stored.layers[0], Fault::Short { after: 70_000 });
    pulled(&registry, limits(), &content).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_over_which_nothing_comes_is_given_up() {
    let registry = Registry::start(Auth::None).await;
    let (stored, _) = stored(&registry);
    for (fault, attempts) in [
        (Fault::CutEach { after: 1000 }, 3),
        (Fault::Short { after: 10 }, 2),
        (Fault::Status { status: 503, times: 100 }, 2),
    ] {
        registry.fault(&stored.layers[0], fault);
        let (directory, images) = images(Limits { attempts, ..limits() }).await;
        let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("must fail");
        assert!(matches!(error, PullError::Fetch { .. }) && error.is_retryable(), "{error}");
        settled(&directory).await;
        assert_eq!(on_disk(&directory), (vec![], true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registries_whose_ranges_are_wrong_are_asked_for_the_whole() {
    let registry = Registry::start(Auth::None).await;
    let (stored, content) = stored(&registry);
    let other = Bytes::from(noise(registry.content.lock().blobs[&stored.layers[0]].len()));
    for (fault, asked) in [
        (Fault::NoRangesAfter(0), 1),
        (Fault::NoRange, 1),
        (Fault::WrongRange, 1),
        // What had arrived by then is passed over in the whole.
        (Fault::NoRangesAfter(3), 4),
    ] {
        registry.fault(&stored.layers[0], fault);
        let ranges = pulled(&registry, limits(), &content).await;
        assert!((asked..asked + 4).contains(&ranges.len()), "{ranges:?}");
    }
    // Another thing under the same name is seen at its tag, and refused for its digest.
    registry.fault(&stored.layers[0], Fault::Changed { after: 2, bytes: other });
    registry.content.lock().ranges.clear();
    let (directory, images) = images(limits()).await;
    let error = images.pull(&registry.reference("app:v1"), &options()).await.expect_err("must fail");
    let refused = matches!(
        &error,
        PullError::Extract { cause: LayerError::Digest { .. } | LayerError::Size { .. }, .. }
    );
    assert!(refused, "{error}");
    settled(&directory).await;
    assert_eq!(on_disk(&directory), (vec![], true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_found_where_the_registry_sends_to() {
    let storage = Registry::start(Auth::None).await;
    let registry = Registry::start(Auth::None).await;
    let (stored, content) = stored(&registry);
    let blob = registry.content.lock().blobs[&stored.layers[0]].clone();
    storage.blob(blob);
    let elsewhere = format!("http://{}/v2/x/blobs/{}", storage.host, stored.layers[0]);
    registry.fault(&stored.layers[0], Fault::Redirect(elsewhere));
    pulled(&registry, limits(), &content).await;
    assert!(storage.content.lock().ranges.len() > 10);
    assert_eq!(registry.count(&format!("GET blobs/{}", stored.layers[0])), 1, "asked once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_room_is_shared() {
    let registry = Registry::start(Auth::None).await;
    let contents: Vec<Vec<u8>> = (0..5).map(|n| noise(400_000 + n)).collect();
    let layers: Vec<Vec<u8>> =
        contents.iter().enumerate().map(|(n, content)| tar(&[(&format!("f{n}"), content)])).collect();
    registry.image("app:v1", &layers);
    for parallel_parts in [1, 2] {
        let (_directory, images) = images(Limits { parallel_parts, ..limits() }).await;
        let image = images.pull(&registry.reference("app:v1"), &options()).await.expect("pulls");
        for (n, content) in contents.iter().enumerate() {
            assert!(std::fs::read(image.layers[n].join(format!("f{n}"))).expect("there") == *content);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_is_unpacked_while_it_and_others_arrive() {
    let registry = Registry::start(Auth::None).await;
    let (early, late) = (noise(600_000), noise(600_001));
    let layers = [tar(&[("early", &early), ("late", &late)]), tar(&[("other", b"1")])];
    let stored = registry.image("app:v1", &layers);
    let gate = Arc::new(Semaphore::new(0));
    registry.fault(&stored.layers[0], Fault::Pause { after: 900_000, gate: gate.clone() });
    let (directory, images) = images(Limits::default()).await;
    let pull = tokio::spawn({
        let (images, reference) = (images.clone(), registry.reference("app:v1"));
        async move { images.pull(&reference, &options()).await }
    });
    let unpacking = || -> Option<PathBuf> {
        std::fs::read_dir(directory.path().join("work")).ok()?.flatten().map(|entry| entry.path()).next()
    };
    let early_is_there = || {
        unpacking()
            .and_then(|work| std::fs::metadata(work.join("early")).ok())
            .is_some_and(|m| m.len() == 600_000)
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    // The rest of the first layer has not been sent yet, and the second is done.
    while !(early_is_there() && on_disk(&directory).0.len() == 1) {
        assert!(Instant::now() < deadline, "nothing is unpacked before everything has arrived");
        tokio::task::yield_now().await;
    }
    assert!(!pull.is_finished());
    gate.add_permits(1);
    let image = pull.await.expect("joins").expect("pulls");
    assert!(std::fs::read(image.layers[0].join("late")).expect("there") == late);
}
