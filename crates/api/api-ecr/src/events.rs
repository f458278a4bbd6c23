//! What happened in a registry, page by page, for those who ask.

use identifiers::{AccountId, Region};
use image_registry::event_document;
use resources::Stored;
use resources::ecr::Event;
use serde_json::Value;
use store::{Page, StoreError, Tables};

/// Most events of a page.
const MOST: usize = 1_000;

/// Some of an account's events, the oldest first.
#[derive(Debug, Default)]
pub struct EventPage {
    /// The events, as [`event_document`] shows them.
    pub events: Vec<Value>,
    /// What to ask with for those that follow; `None` when these are the last for now.
    pub next: Option<String>,
}

/// The events of an account that came after `after`, which is the `next` of the page before, or from a moment in
/// milliseconds on.
pub async fn events(
    tables: &Tables,
    (account, region): (&AccountId, &Region),
    after: Option<&str>,
    since: i64,
) -> Result<EventPage, StoreError> {
    let prefix = format!("{account}/");
    // A moment stands before all events that have it.
    let after = after.map_or_else(|| format!("{since:015}"), str::to_owned);
    let page = Page { after: Some(format!("{prefix}{after}")), limit: MOST };
    let listing = tables.list::<Event>(&prefix, page).await?;
    let last = listing.items.last().filter(|_| listing.next.is_some());
    let next = last.and_then(|event| event.key().strip_prefix(&prefix).map(str::to_owned));
    let events = listing.items.iter().map(|event| event_document(event, region)).collect();
    Ok(EventPage { events, next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::{Environment, Timestamp};
    use resources::ecr::EventKind;
    use serde_json::json;
    use store::MemoryStore;

    fn event(second: i64, kind: EventKind) -> Event {
        Event {
            account: "123456789012".parse().expect("an account"),
            id: format!("id-{second}"),
            time: Timestamp::from_seconds(second),
            repository: "team/app".to_owned(),
            digest: "sha256:ab".to_owned(),
            tag: Some("v1".to_owned()),
            kind,
        }
    }

    fn region() -> Region {
        "us-east-1".parse().expect("a region")
    }

    #[tokio::test]
    async fn pages_follow_each_other() {
        let (environment, _) = Environment::simulated(Timestamp::from_seconds(1), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment);
        for second in 0..1_500 {
            tables.create(event(second, EventKind::Pull { count: 1 })).await.expect("is written");
        }
        let account: AccountId = "123456789012".parse().expect("an account");
        let region = region();
        let of = (&account, &region);
        let first = events(&tables, of, None, 100_000).await.expect("reads");
        assert_eq!((first.events.len(), &first.events[0]["id"]), (1_000, &json!("id-100")));
        let second = events(&tables, of, first.next.as_deref(), 0).await.expect("reads");
        assert_eq!((second.events.len(), &second.events[0]["id"]), (400, &json!("id-1100")));
        assert_eq!(second.next, None);
        let other: AccountId = "222222222222".parse().expect("an account");
        assert!(events(&tables, (&other, &region), None, 0).await.expect("reads").events.is_empty());
    }
}
