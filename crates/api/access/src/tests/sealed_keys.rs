//! Secrets of access keys at rest.

use super::*;
use resources::access::{ClearAccessKey, Secret};
use store::{KeyRange, RangeRequest};

/// Whether any row of the store shows a text.
async fn shows(region: &Region, text: &str) -> bool {
    let everything =
        RangeRequest { range: KeyRange::Prefix("".into()), after: None, limit: 10_000, revision: None };
    let found = region.tables.store().range(everything).await.expect("reads");
    assert!(!found.items.is_empty());
    found.items.iter().any(|row| String::from_utf8_lossy(&row.value).contains(text))
}

/// The secret that a signature with a key must show.
async fn secret(region: &Region, id: &str) -> Option<String> {
    let found = region.access.credential(id, None).await.ok()?;
    Some(found.secret().to_owned())
}

#[tokio::test]
async fn secrets_are_sealed_and_opened_as_long_as_their_row_is_the_same() {
    let region = Region::new();
    let made = region.access.create_key(&Caller::root(&account())).await.expect("creates");
    let id = made.key.access_key_id.as_str();
    assert!(!shows(&region, made.secret.expose()).await);
    for _ in 0..2 {
        assert_eq!(secret(&region, id).await.as_deref(), Some(made.secret.expose()));
    }
    // What is written later counts at once, whatever is remembered.
    let row = region.tables.get::<AccessKey>(id).await.expect("reads").expect("is there");
    let other = new_key(region.tables.environment(), &region.access.keys, &Caller::root(&account()));
    let wrong = AccessKey { sealed: other.key.sealed.clone(), ..made.key.clone() };
    let row = region.tables.replace(&row, wrong).await.expect("replaces");
    let moved = region.access.credential(id, None).await.expect_err("sealed for another key");
    assert!(matches!(moved, NoCredential::Store(_)), "{moved:?}");
    let row = region.tables.replace(&row, made.key.clone()).await.expect("replaces");
    assert_eq!(secret(&region, id).await.as_deref(), Some(made.secret.expose()));
    let row = region.tables.replace(&row, AccessKey { active: false, ..made.key.clone() }).await;
    assert_eq!(secret(&region, id).await, None);
    assert!(region.access.opened.get(id).is_none(), "nobody needs it any more");
    let row = region.tables.replace(&row.expect("replaces"), made.key.clone()).await.expect("replaces");
    assert_eq!(secret(&region, id).await.as_deref(), Some(made.secret.expose()));
    region.tables.delete(&row).await.expect("deletes");
    assert_eq!(secret(&region, id).await, None);
    assert!(region.access.opened.get(id).is_none());
}

#[tokio::test]
async fn a_store_with_secrets_in_the_clear_is_sealed() {
    let region = Region::new();
    let (user, key) = region.user("ci", "").await;
    let row = region.tables.get::<AccessKey>(&key.access_key_id).await.expect("reads").expect("is there");
    region.tables.delete(&row).await.expect("deletes");
    for (id, active) in [("AKIAOLD", true), ("AKIAOFF", false)] {
        let old = ClearAccessKey {
            access_key_id: id.to_owned(),
            secret: Secret::new(format!("in-the-clear-{id}")),
            account: account(),
            principal_arn: user.arn(),
            principal_id: user.id.clone(),
            active,
            created_at: region.tables.environment().now(),
            user: Some("ci".to_owned()),
        };
        region.tables.create(old).await.expect("creates");
    }
    assert!(shows(&region, "in-the-clear").await);
    for _ in 0..2 {
        region.access.seal_clear_keys().await.expect("seals");
        assert!(!shows(&region, "in-the-clear").await);
        assert_eq!(secret(&region, "AKIAOLD").await.as_deref(), Some("in-the-clear-AKIAOLD"));
        assert!(unknown(&region, "AKIAOFF", None).await, "stays inactive");
    }
    let caller = region.access.credential("AKIAOLD", None).await.expect("is good").caller;
    assert_eq!(&*caller.principal_id, user.id.as_str());
}

#[tokio::test]
async fn a_key_on_disk_is_good_again_when_its_secret_does_not_open() {
    let region = Region::new();
    let root = Caller::root(&account());
    let secret_on_disk = Secret::new("s".repeat(40));
    region.access.ensure_key("AKIAROOT", &secret_on_disk, &root).await.expect("stores");
    // The same store with the keys of another region.
    let environment = region.tables.environment().clone();
    let access = Access::new(region.tables.clone(), KeyRing::in_memory(environment));
    assert!(access.credential("AKIAROOT", None).await.is_err());
    access.ensure_key("AKIAROOT", &secret_on_disk, &root).await.expect("stores");
    let found = access.credential("AKIAROOT", None).await.expect("is good");
    assert_eq!(found.secret(), secret_on_disk.expose());
}
