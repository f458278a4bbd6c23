//! Pushes, mounts, deletions and collections of the same few blobs in thousands of orders: no image ever lacks a blob,
//! and in the end nothing is left that no image needs.

use crate::world::World;
use blob_store::Digest;
use futures::StreamExt;
use image_registry::ImageError;
use resources::ecr::{BlobLink, BlobRemoval, Image, ImageTag, Repository};
use std::time::Duration;

const BLOBS: [&str; 3] = ["blob a", "blob b", "blob c"];
/// Orders of events that are tried; more with IMAGE_STORE_ORDERS.
const ORDERS: u64 = 1_000;

/// One client's session; what is refused because of another's work is tried again or given up, as clients do.
async fn push(world: &World, repository: usize, tag: &str, blobs: &[&'static str]) -> Result<(), ImageError> {
    for _ in 0..20 {
        for blob in blobs {
            if !world.has(repository, blob).await? {
                world.push_blob(repository, blob).await?;
            }
        }
        match world.push_image(repository, tag, blobs).await {
            Ok(image) => {
                // From the moment it is answered the image is complete, whoever collects.
                for blob in &image.blobs {
                    let digest: Digest = blob.parse().expect("a digest");
                    let still =
                        world.images.tables().get::<Image>(&(world.rows(repository) + &image.digest)).await?;
                    let there = world.images.blobs().stat(&digest).await?.is_some();
                    assert!(there || still.is_none(), "an image lost {blob}");
                    let still =
                        world.images.tables().get::<Image>(&(world.rows(repository) + &image.digest)).await?;
                    assert!(there || still.is_none(), "an image lost {blob}");
                }
                return Ok(());
            }
            Err(ImageError::BlobsMissing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn mount(world: &World) -> Result<(), ImageError> {
    let digest = Digest::of(BLOBS[1].as_bytes());
    let account = &world.repositories[0].account;
    let mounted = world.images.mount(account, ("one", "two"), &digest).await?;
    if mounted.is_some() {
        match world.push_image(1, "mounted", &BLOBS[1..2]).await {
            Ok(_) | Err(ImageError::BlobsMissing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn delete_everything(world: &World, repository: usize) -> Result<(), ImageError> {
    let from = &world.repositories[repository];
    for image in world.images.tables().list_all::<Image>(&world.rows(repository)).await? {
        let mut tags = world.images.tables().list_all::<ImageTag>(&world.rows(repository)).await?;
        tags.retain(|tag| tag.digest == image.digest);
        world.images.delete(from, &image, &tags, true).await?;
    }
    let Repository { account, name, .. } = from;
    world.images.unlink(account, name, &Digest::of(BLOBS[2].as_bytes())).await?;
    Ok(())
}

async fn collect(world: &World) -> Result<(), ImageError> {
    world.images.collect(Duration::ZERO).await.map(|_| ())
}

async fn session(world: &World, kind: u64) -> Result<(), ImageError> {
    match kind {
        0 => push(world, 0, "v1", &BLOBS[..2]).await,
        1 => push(world, 0, "v2", &BLOBS[1..]).await,
        2 => push(world, 1, "v1", &BLOBS).await,
        3 => mount(world).await,
        4 => delete_everything(world, 0).await,
        5 => delete_everything(world, 1).await,
        _ => collect(world).await,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_order_of_events_takes_a_blob_from_an_image() {
    let orders =
        std::env::var("IMAGE_STORE_ORDERS").ok().and_then(|count| count.parse().ok()).unwrap_or(ORDERS);
    for seed in 0..orders {
        let world = World::new(seed).await;
        world.while_time_passes(push(&world, 0, "old", &BLOBS[..2])).await.expect("pushes");
        let count = 3 + world.turns.random(5);
        let kinds: Vec<u64> = (0..count).map(|_| world.turns.random(9)).collect();
        let sessions = futures::future::join_all(kinds.iter().map(|kind| session(&world, *kind)));
        for done in world.while_time_passes(sessions).await {
            done.unwrap_or_else(|error| panic!("seed {seed}, {kinds:?}: {error:?}"));
        }
        let faults = world.while_time_passes(world.faults()).await;
        assert!(faults.is_empty(), "seed {seed}, {kinds:?}: {faults:?}");
        let rest = async {
            for repository in [0, 1, 0, 1] {
                delete_everything(&world, repository).await?;
            }
            collect(&world).await
        };
        world.while_time_passes(rest).await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        let left = async {
            let links = world.images.tables().list_all::<BlobLink>("").await.expect("lists").len();
            let removals = world.images.tables().list_all::<BlobRemoval>("").await.expect("lists").len();
            let blobs: usize = world
                .images
                .blobs()
                .list()
                .map(|some| some.expect("lists").len())
                .collect::<Vec<_>>()
                .await
                .iter()
                .sum();
            (links, removals, blobs)
        };
        assert_eq!(world.while_time_passes(left).await, (0, 0, 0), "seed {seed}, {kinds:?}");
    }
}
