//! The store or the bucket fails once, at each call in turn: no image lacks a blob, and the same request works afterwards.

use crate::world::World;
use image_registry::ImageError;
use std::time::Duration;

const BLOBS: [&str; 2] = ["layer", "config"];

async fn everything(world: &World) -> Result<(), ImageError> {
    for blob in BLOBS {
        world.push_blob(0, blob).await?;
    }
    let image = world.push_image(0, "v1", &BLOBS).await?;
    let digest = blob_store::Digest::of(BLOBS[0].as_bytes());
    world.images.mount(&world.repositories[0].account, ("one", "two"), &digest).await?;
    world.push_image(1, "v1", &BLOBS[..1]).await?;
    let tables = world.images.tables();
    let row = tables.get::<resources::ecr::Image>(&(world.rows(0) + &image.digest)).await?;
    if let Some(row) = row {
        let tags = tables.list_all::<resources::ecr::ImageTag>(&world.rows(0)).await?;
        world.images.delete(&world.repositories[0], &row, &tags, true).await?;
    }
    world.images.collect(Duration::ZERO).await?;
    world.images.verify(true).await?;
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_fault_at_any_call_costs_no_image_a_blob() {
    let mut failed = 0;
    for call in 0.. {
        let world = World::new(call).await;
        world.turns.fail_after(call);
        let outcome = world.while_time_passes(everything(&world)).await;
        let was_reached = world.turns.heal();
        assert_eq!(outcome.is_err(), was_reached, "call {call}: {outcome:?}");
        let faults = world.while_time_passes(world.faults()).await;
        assert!(faults.is_empty(), "call {call}: {faults:?}");
        let again = world.while_time_passes(everything(&world)).await;
        assert!(again.is_ok(), "call {call}: {again:?}");
        failed += u32::from(was_reached);
        if !was_reached {
            break;
        }
    }
    assert!(failed > 40, "{failed} calls were failed");
}
