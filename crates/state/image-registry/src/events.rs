//! What happened, kept in the store for those who want to be told.

use environment::Environment;
use resources::Stored;
use resources::ecr::{EVENTS_KEPT, Event, EventKind, Image, ImageAction};
use store::{Batch, Page, StoreError, Tables};

/// Rows deleted in one transaction.
const BATCH: usize = 500;
/// Events of pulls kept of one account: there are many, and they tell little.
const PULLS_KEPT: usize = EVENTS_KEPT / 5;

/// Adds an event to what is written anyway, so that it is there if and only if it happened.
pub fn append_event(
    batch: Batch,
    environment: &Environment,
    image: &Image,
    tag: Option<&str>,
    kind: EventKind,
) -> Batch {
    batch.create(&Event {
        account: image.account.clone(),
        id: environment.uuid(),
        time: environment.now(),
        repository: image.repository.clone(),
        digest: image.digest.clone(),
        tag: tag.map(str::to_owned),
        kind,
    })
}

/// What is told of an image that something was done with.
pub(crate) fn of_image(image: &Image, action: ImageAction) -> EventKind {
    EventKind::Image {
        action,
        media_type: image.media_type.clone(),
        artifact_type: image.artifact_type.clone(),
    }
}

/// Drops the oldest events of every account that has too many.
pub(crate) async fn trim(tables: &Tables) -> Result<usize, StoreError> {
    let mut old = Vec::new();
    for account in accounts(tables).await? {
        let (mut others, mut pulls) = (0, 0);
        for event in tables.list_all::<Event>(&format!("{account}/")).await?.iter().rev() {
            let pulled = matches!(event.kind, EventKind::Pull { .. });
            let (seen, limit) = if pulled { (&mut pulls, PULLS_KEPT) } else { (&mut others, EVENTS_KEPT) };
            *seen += 1;
            if *seen > limit {
                old.push(event.key());
            }
        }
    }
    for some in old.chunks(BATCH) {
        let batch = some.iter().fold(tables.batch(), |batch, key| batch.delete_any::<Event>(key));
        batch.commit().await?;
    }
    Ok(old.len())
}

/// The accounts that have events, found by leaping from one to the next.
async fn accounts(tables: &Tables) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = tables.list::<Event>("", Page { after: after.take(), limit: 1 }).await?;
        let Some(first) = page.items.first() else { return Ok(found) };
        let account = first.account.to_string();
        // What follows all keys of this account.
        after = Some(format!("{account}0"));
        found.push(account);
    }
}
