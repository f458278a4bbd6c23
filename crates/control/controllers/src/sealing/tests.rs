//! A rotation from the command to the end of the old key.

use super::*;
use environment::{Environment, Timestamp};
use resources::secrets::ValueKind;
use store::MemoryStore;

fn row(keys: &KeyRing, id: &str) -> SecretVersion {
    let purpose = SecretVersion::purpose_of("123456789012", "s", id);
    SecretVersion {
        account: "123456789012".to_owned(),
        secret_id: "s".to_owned(),
        id: id.to_owned(),
        kind: ValueKind::Text,
        sealed: SealedText::new(keys.seal(&purpose, id.as_bytes())),
    }
}

async fn all_current(tables: &Tables, keys: &KeyRing) -> bool {
    let rows = tables.list_all::<SecretVersion>("").await.expect("lists");
    rows.iter().all(|row| {
        let opened = keys.open(&row.purpose(), row.sealed.as_str()).expect("opens");
        assert_eq!(opened.as_slice(), row.id.as_bytes());
        keys.is_current(row.sealed.as_str())
    })
}

#[tokio::test]
async fn rows_are_sealed_anew_before_a_key_goes() {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("region.keys");
    let keys = KeyRing::load(&path, environment.clone()).expect("makes");
    let controller = SealingController::new(tables.clone(), keys.clone());
    for id in ["a", "b", "c"] {
        tables.create(row(&keys, id)).await.expect("creates");
    }
    controller.reconcile(&Ring).await.expect("reconciles");

    simulation.advance(Duration::from_secs(10));
    KeyRing::load(&path, environment).expect("loads").rotate().expect("rotates");
    controller.reconcile(&Ring).await.expect("reconciles");
    assert!(all_current(&tables, &keys).await);
    assert_eq!(keys.list().len(), 2, "the old key opens what is not stored");
    // What was sealed just before the ring was read again comes late.
    simulation.advance(KEPT);
    let revision = tables.list_all::<SecretVersion>("").await.expect("lists")[0].revision;
    controller.reconcile(&Ring).await.expect("reconciles");
    assert!(all_current(&tables, &keys).await);
    assert_eq!(keys.list().len(), 1);
    assert_eq!(
        tables.list_all::<SecretVersion>("").await.expect("lists")[0].revision,
        revision,
        "left alone"
    );
}

#[tokio::test]
async fn a_key_stays_while_a_row_does_not_open() {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let keys = KeyRing::in_memory(environment.clone());
    let controller = SealingController::new(tables.clone(), keys.clone());
    let moved = SecretVersion { id: "elsewhere".to_owned(), ..row(&keys, "a") };
    tables.create(moved).await.expect("creates");
    tables.create(row(&keys, "good")).await.expect("creates");
    keys.rotate().expect("rotates");
    simulation.advance(KEPT);
    let error = controller.reconcile(&Ring).await.expect_err("reports it");
    assert!(
        matches!(&error, SealingError::Unopened { count: 1, key, .. } if key.ends_with("elsewhere")),
        "{error}"
    );
    assert_eq!(keys.list().len(), 2);
    let good = tables.get::<SecretVersion>("123456789012/s/good").await.expect("reads").expect("is there");
    assert!(keys.is_current(good.sealed.as_str()), "the others are sealed anew all the same");
}
