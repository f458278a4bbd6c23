//! A sweep over secrets and parameters with and without a date.

use super::*;
use environment::{Environment, Timestamp};
use resources::sealed::SealedText;
use resources::secrets::{Deletion, ValueKind, VersionInfo};
use resources::ssm::{self, ParameterKind, Policy, Tier};
use std::time::Duration;
use store::MemoryStore;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn secret(id: &str, due_at: Option<Timestamp>, now: Timestamp) -> Secret {
    Secret {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        name: id.to_owned(),
        suffix: "AbCdEf".to_owned(),
        id: id.to_owned(),
        description: None,
        kms_key_id: None,
        tags: None,
        policy: None,
        created_at: now,
        changed_at: now,
        deletion: due_at.map(|due_at| Deletion { asked_at: now, due_at }),
        rotation: None,
        versions: vec![VersionInfo { id: "1".to_owned(), stages: vec![], created_at: now }],
    }
}

fn value(secret_id: &str, id: &str) -> SecretVersion {
    SecretVersion {
        account: "123456789012".to_owned(),
        secret_id: secret_id.to_owned(),
        id: id.to_owned(),
        kind: ValueKind::Text,
        sealed: SealedText::new("ls1..".to_owned()),
    }
}

fn parameter(id: &str, expires_at: Option<Timestamp>, now: Timestamp) -> (Parameter, ParameterVersion) {
    let info = ssm::VersionInfo {
        version: 1,
        kind: ParameterKind::String,
        key_id: None,
        description: None,
        allowed_pattern: None,
        tier: Tier::Advanced,
        data_type: "text".to_owned(),
        policies: expires_at
            .map(|expires_at| Policy { text: String::new(), expires_at })
            .into_iter()
            .collect(),
        modified_at: now,
        modified_by: String::new(),
    };
    let account = "123456789012".to_owned();
    let version = ParameterVersion {
        account: account.clone(),
        parameter_id: id.to_owned(),
        info: info.clone(),
        sealed: SealedText::new("ls1..".to_owned()),
    };
    let parameter = Parameter {
        account,
        region: "us-east-1".to_owned(),
        name: id.to_owned(),
        id: id.to_owned(),
        tags: vec![],
        labels: std::collections::BTreeMap::new(),
        oldest: 1,
        newest: info,
    };
    (parameter, version)
}

#[tokio::test]
async fn what_is_past_its_date_goes_with_its_values() {
    let (environment, simulation) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let (now, controller) = (environment.now(), SecretsExpiry::new(tables.clone()));
    for (id, due_at) in [("stays", None), ("soon", Some(now + WEEK)), ("later", Some(now + WEEK * 2))] {
        tables.create(secret(id, due_at, now)).await.expect("creates");
        tables.create(value(id, "1")).await.expect("creates");
        let (parameter, version) = parameter(id, due_at, now);
        tables.create(parameter).await.expect("creates");
        tables.create(version).await.expect("creates");
    }
    // What a crash left behind.
    tables.create(value("stays", "of no version")).await.expect("creates");
    tables.create(value("of no secret", "1")).await.expect("creates");

    let left = async || {
        let secrets = tables.list_all::<Secret>("").await.expect("lists").len();
        let values = tables.list_all::<SecretVersion>("").await.expect("lists").len();
        let parameters = tables.list_all::<Parameter>("").await.expect("lists").len();
        let versions = tables.list_all::<ParameterVersion>("").await.expect("lists").len();
        (secrets, values, parameters, versions)
    };
    controller.reconcile(&EverySecret).await.expect("sweeps");
    assert_eq!(left().await, (3, 3, 3, 3));
    simulation.advance(WEEK);
    controller.reconcile(&EverySecret).await.expect("sweeps");
    assert_eq!(left().await, (2, 2, 2, 2));
    controller.reconcile(&EverySecret).await.expect("sweeps again");
    assert_eq!(left().await, (2, 2, 2, 2));
}
