//! What is used stays, what is not goes.

use crate::registry::{Auth, Registry, on_disk, options, tar};
use container_image::{Images, Limits};
use environment::{Environment, Timestamp};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn unused_images_are_collected() {
    let registry = Registry::start(Auth::None).await;
    let base = tar(&[("base", b"shared")]);
    registry.image("one:v1", &[base.clone(), tar(&[("a", b"1")])]);
    registry.image("two:v1", &[base, tar(&[("a", b"2")])]);
    let directory = tempfile::tempdir().expect("a directory");
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_000_000_000), 1);
    let open = || Images::open_with_limits(directory.path(), Limits::default(), environment.clone());
    let images = open().await.expect("opens");
    let one = images.pull(&registry.reference("one:v1"), &options()).await.expect("pulls");
    let two = images.pull(&registry.reference("two:v1"), &options()).await.expect("pulls");
    images.hold(&one, "task/1 of many").await.expect("holds");
    simulation.advance(DAY * 30);
    assert_eq!(images.collect(DAY).await.expect("collects").images, 0, "both are in somebody's hands");
    drop((one, two));

    // A holder counts after a restart too.
    drop(images);
    let images = open().await.expect("opens");
    assert_eq!(images.holders(), ["task/1 of many"]);
    let held = images.held_by("task/1 of many").expect("held");
    assert_eq!(std::fs::read(held.layers[1].join("a")).expect("there"), b"1");
    drop(held);
    let collected = images.collect(DAY).await.expect("collects");
    assert_eq!((collected.images, collected.layers), (1, 1), "the shared layer stays");
    assert_eq!(on_disk(&directory), (on_disk(&directory).0, true));
    assert_eq!(on_disk(&directory).0.len(), 2);

    // Released, it is unused from that moment on.
    images.release("task/1 of many").await.expect("releases");
    images.release("task/1 of many").await.expect("releases again");
    assert_eq!(images.collect(DAY).await.expect("collects").images, 0);
    simulation.advance(DAY);
    let collected = images.collect(DAY).await.expect("collects");
    assert_eq!((collected.images, collected.layers), (1, 2));
    assert_eq!(on_disk(&directory), (vec![], true));
    let again = images.pull(&registry.reference("one:v1"), &options()).await.expect("pulls anew");
    assert_eq!(std::fs::read(again.layers[0].join("base")).expect("there"), b"shared");
    assert!(images.hold(&again, "").await.is_err());
}

#[tokio::test]
async fn a_collection_makes_layers_survive_a_power_cut() {
    let registry = Registry::start(Auth::None).await;
    registry.image("one:v1", &[tar(&[("a", b"1")])]);
    let (directory, images) = crate::registry::images(Limits::default()).await;
    let image = images.pull(&registry.reference("one:v1"), &options()).await.expect("pulls");
    images.collect(DAY).await.expect("collects");
    let key = image.layers[0].file_name().expect("a name").to_string_lossy().into_owned();
    let record = std::fs::read_to_string(directory.path().join(format!("layers/{key}.json"))).expect("there");
    assert!(record.contains("\"flushed\":true"), "{record}");
}
