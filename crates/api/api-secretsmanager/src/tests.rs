//! The service over a store in memory.

use super::*;
use aws_wire::{Node, RequestContext, ServiceError};
use environment::{Environment, Timestamp};
use resources::Stored;
use resources::secrets::{CURRENT, PENDING, PREVIOUS, Secret, SecretVersion};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use store::MemoryStore;

const VALUE: &str = "correct horse battery staple";

/// A request of the account's root.
pub(crate) fn context() -> RequestContext {
    RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "localhost:4566".into(),
        time: Timestamp::from_seconds(1_700_000_000),
        extensions: aws_wire::Extensions::new(),
    }
}

fn service() -> SecretsManagerService {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    SecretsManagerService::new(tables, KeyRing::in_memory(environment))
}

fn create(name: &str) -> CreateSecretRequest {
    CreateSecretRequest {
        name: name.into(),
        secret_string: Some(VALUE.into()),
        ..CreateSecretRequest::default()
    }
}

fn put(id: &str, value: &str, stages: Option<&[&str]>) -> PutSecretValueRequest {
    PutSecretValueRequest {
        secret_id: id.into(),
        secret_string: Some(value.into()),
        version_stages: stages.map(|stages| stages.iter().map(|stage| (*stage).to_owned()).collect()),
        ..PutSecretValueRequest::default()
    }
}

fn get(id: &str, stage: Option<&str>) -> GetSecretValueRequest {
    GetSecretValueRequest {
        secret_id: id.into(),
        version_stage: stage.map(str::to_owned),
        ..GetSecretValueRequest::default()
    }
}

fn delete(id: &str) -> DeleteSecretRequest {
    DeleteSecretRequest { secret_id: id.into(), ..DeleteSecretRequest::default() }
}

fn describe(id: &str) -> DescribeSecretRequest {
    DescribeSecretRequest { secret_id: id.into() }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.expect_err("refused");
    (error.shape.name, error.message.into_owned())
}

async fn text(service: &SecretsManagerService, id: &str, stage: Option<&str>) -> String {
    let found = service.get_secret_value(&context(), get(id, stage)).await.expect("gets");
    found.secret_string.expect("a text")
}

async fn stages(service: &SecretsManagerService, id: &str) -> BTreeMap<String, Vec<String>> {
    let shown = service.describe_secret(&context(), describe(id)).await.expect("describes");
    shown.version_ids_to_stages.unwrap_or_default()
}

#[tokio::test]
async fn a_value_is_stored_sealed_and_shown_by_nothing_but_get() {
    let (service, context) = (service(), context());
    let input = create("app/db");
    assert!(!format!("{input:?}").contains(VALUE));
    let made = service.create_secret(&context, input).await.expect("creates");
    let arn = made.arn.clone().expect("an ARN");
    assert_eq!(text(&service, &arn, None).await, VALUE);
    assert_eq!(text(&service, &arn[..arn.len() - 7], None).await, VALUE, "a partial ARN");

    let rows = service.tables.list_all::<SecretVersion>("").await.expect("lists");
    let stored = serde_json::to_string(&*rows[0].value).expect("JSON");
    assert!(stored.contains("\"ls1.") && !stored.contains(VALUE), "{stored}");
    let got = service.get_secret_value(&context, get("app/db", None)).await.expect("gets");
    let described = service.describe_secret(&context, describe("app/db")).await.expect("describes");
    let listed = service.list_secrets(&context, ListSecretsRequest::default()).await.expect("lists");
    let secret = service.require(&context, "app/db").await.expect("is there");
    for shown in [
        format!("{made:?}"),
        format!("{got:?}"),
        format!("{described:?}"),
        format!("{listed:?}"),
        format!("{secret:?} {:?}", rows[0].value),
        serde_json::to_string(&*secret.value).expect("JSON"),
    ] {
        assert!(!shown.contains(VALUE), "{shown}");
    }
    // An error about a value says nothing of it either.
    let other = CreateSecretRequest {
        client_request_token: made.version_id,
        secret_string: Some("another".into()),
        ..create("app/db")
    };
    let (code, message) = refusal(service.create_secret(&context, other).await);
    assert_eq!(code, "ResourceExistsException");
    assert!(!message.contains("another") && !message.contains(VALUE), "{message}");
}

#[tokio::test]
async fn a_value_opens_at_its_own_place_alone() {
    let (service, context) = (service(), context());
    for name in ["a", "b"] {
        service.create_secret(&context, create(name)).await.expect("creates");
    }
    let rows = service.tables.list_all::<SecretVersion>("").await.expect("lists");
    let moved = SecretVersion { sealed: rows[1].sealed.clone(), ..(*rows[0].value).clone() };
    service.tables.replace(&rows[0], moved).await.expect("replaces");
    let secrets = service.tables.list_all::<Secret>("").await.expect("lists");
    let victim = secrets.iter().find(|secret| secret.id == rows[0].secret_id).expect("is there");
    let (code, message) = refusal(service.get_secret_value(&context, get(&victim.name, None)).await);
    assert_eq!(code, "DecryptionFailure");
    assert!(!message.contains(VALUE));
}

#[tokio::test]
async fn stages_move_as_versions_come() {
    let (service, context) = (service(), context());
    let made = service.create_secret(&context, create("a")).await.expect("creates");
    let first = made.version_id.expect("a version");
    let second = service.put_secret_value(&context, put("a", "second", None)).await.expect("puts");
    let second = second.version_id.expect("a version");
    assert_eq!(
        (text(&service, "a", None).await, text(&service, "a", Some(PREVIOUS)).await),
        ("second".to_owned(), VALUE.to_owned())
    );
    let pending = service.put_secret_value(&context, put("a", "third", Some(&[PENDING, "MINE"]))).await;
    let third = pending.expect("puts").version_id.expect("a version");
    assert_eq!(text(&service, "a", None).await, "second");
    let step = |from: Option<&String>, to: Option<&String>, stage: &str| UpdateSecretVersionStageRequest {
        secret_id: "a".into(),
        version_stage: stage.into(),
        remove_from_version_id: from.cloned(),
        move_to_version_id: to.cloned(),
    };
    for (request, part) in [
        (step(None, Some(&third), CURRENT), "RemoveFromVersionId can't be empty"),
        (step(Some(&first), Some(&third), CURRENT), "not found in version"),
        (step(Some(&second), None, CURRENT), "can't be completely removed"),
        (step(Some(&"x".repeat(32)), Some(&third), CURRENT), "Not a valid version"),
    ] {
        let (code, message) = refusal(service.update_secret_version_stage(&context, request).await);
        assert_eq!(code, "InvalidParameterException");
        assert!(message.contains(part), "{message}");
    }
    let moved =
        service.update_secret_version_stage(&context, step(Some(&second), Some(&third), CURRENT)).await;
    moved.expect("moves");
    let now = stages(&service, "a").await;
    assert_eq!(now.get(&first), None, "deprecated");
    assert_eq!(now[&second], [PREVIOUS]);
    assert_eq!(now[&third], [PENDING, "MINE", CURRENT]);
    let listed = |deprecated| ListSecretVersionIdsRequest {
        secret_id: "a".into(),
        include_deprecated: Some(deprecated),
        ..ListSecretVersionIdsRequest::default()
    };
    for (deprecated, count) in [(false, 2), (true, 3)] {
        let found = service.list_secret_version_ids(&context, listed(deprecated)).await.expect("lists");
        assert_eq!(found.versions.map(|versions| versions.len()), Some(count));
    }
    let wrong = GetSecretValueRequest { version_id: Some(second), ..get("a", Some(CURRENT)) };
    assert_eq!(refusal(service.get_secret_value(&context, wrong).await).0, "InvalidRequestException");
    let missing = refusal(service.get_secret_value(&context, get("a", Some("NONE"))).await);
    assert_eq!(missing.1, "Secrets Manager can't find the specified secret value for staging label: NONE");
}

#[tokio::test]
async fn tokens_make_requests_repeatable() {
    let (service, context) = (service(), context());
    let token = "t".repeat(32);
    let request = CreateSecretRequest { client_request_token: Some(token.clone()), ..create("a") };
    let first = service.create_secret(&context, request.clone()).await.expect("creates");
    assert_eq!(service.create_secret(&context, request).await.expect("repeats"), first);
    let same = PutSecretValueRequest { client_request_token: Some(token.clone()), ..put("a", VALUE, None) };
    let put_again = service.put_secret_value(&context, same).await.expect("repeats");
    assert_eq!(
        (put_again.version_id, put_again.version_stages),
        (Some(token.clone()), Some(vec![CURRENT.into()]))
    );
    let other = PutSecretValueRequest { client_request_token: Some(token), ..put("a", "x", None) };
    assert_eq!(refusal(service.put_secret_value(&context, other).await).0, "ResourceExistsException");
    let (_, message) = refusal(service.create_secret(&context, create("a")).await);
    assert_eq!(message, "The operation failed because the secret a already exists.");
}

#[tokio::test]
async fn a_deleted_secret_comes_back_until_its_date() {
    let (service, mut context) = (service(), context());
    service.create_secret(&context, create("a")).await.expect("creates");
    let week = DeleteSecretRequest { recovery_window_in_days: Some(7), ..delete("a") };
    let answer = service.delete_secret(&context, week.clone()).await.expect("marks");
    assert_eq!(answer.deletion_date, Some(context.time + Duration::from_secs(7 * 86_400)));
    assert_eq!(
        refusal(service.get_secret_value(&context, get("a", None)).await).0,
        "InvalidRequestException"
    );
    let (_, message) = refusal(service.create_secret(&context, create("a")).await);
    assert!(message.contains("already scheduled for deletion"), "{message}");
    assert!(refusal(service.delete_secret(&context, week).await).1.contains("already scheduled"));
    let restore = RestoreSecretRequest { secret_id: "a".into() };
    service.restore_secret(&context, restore.clone()).await.expect("restores");
    assert_eq!(text(&service, "a", None).await, VALUE);

    service.delete_secret(&context, delete("a")).await.expect("marks");
    context.time = context.time + Duration::from_secs(30 * 86_400);
    assert_eq!(refusal(service.restore_secret(&context, restore).await).0, "ResourceNotFoundException");
    assert_eq!(
        refusal(service.describe_secret(&context, describe("a")).await).0,
        "ResourceNotFoundException"
    );
    // The name is free, even if nobody has swept yet.
    service.create_secret(&context, create("a")).await.expect("creates anew");
    assert_eq!(service.tables.list_all::<SecretVersion>("").await.expect("lists").len(), 1);
    let now = DeleteSecretRequest { force_delete_without_recovery: Some(true), ..delete("a") };
    service.delete_secret(&context, now.clone()).await.expect("deletes");
    service.delete_secret(&context, now).await.expect("is gone already");
    assert!(service.tables.list_all::<SecretVersion>("").await.expect("lists").is_empty());
    for wrong in [Some(6), Some(31), Some(0)] {
        let wrong = DeleteSecretRequest { recovery_window_in_days: wrong, ..delete("a") };
        assert_eq!(refusal(service.delete_secret(&context, wrong).await).0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn a_rotation_is_kept_in_the_books() {
    let (service, context) = (service(), context());
    service.create_secret(&context, create("a")).await.expect("creates");
    let rotate = RotateSecretRequest {
        secret_id: "a".into(),
        client_request_token: Some("r".repeat(32)),
        rotation_rules: Some(RotationRulesType {
            automatically_after_days: Some(10),
            ..RotationRulesType::default()
        }),
        ..RotateSecretRequest::default()
    };
    let (_, message) = refusal(service.rotate_secret(&context, rotate.clone()).await);
    assert_eq!(message, "No Lambda rotation function ARN is associated with this secret.");
    let rotate = RotateSecretRequest {
        rotation_lambda_arn: Some("arn:aws:lambda:us-east-1:123456789012:function:f".into()),
        ..rotate
    };
    let pending = service.rotate_secret(&context, rotate.clone()).await.expect("rotates").version_id;
    assert_eq!(service.rotate_secret(&context, rotate.clone()).await.expect("repeats").version_id, pending);
    let pending = pending.expect("a version");
    assert_eq!(stages(&service, "a").await[&pending], [PENDING]);
    let shown = service.describe_secret(&context, describe("a")).await.expect("describes");
    assert_eq!(shown.rotation_enabled, Some(true));
    assert_eq!(shown.next_rotation_date, Some(context.time + Duration::from_secs(10 * 86_400)));
    let (code, _) = refusal(service.get_secret_value(&context, get("a", Some(PENDING))).await);
    assert_eq!(code, "ResourceNotFoundException");
    let another = RotateSecretRequest { client_request_token: Some("q".repeat(32)), ..rotate };
    assert!(refusal(service.rotate_secret(&context, another).await).1.contains("isn't complete"));
    // The rotator's part: put the value, then make it current.
    let value = PutSecretValueRequest {
        client_request_token: Some(pending.clone()),
        ..put("a", "rotated", Some(&[PENDING]))
    };
    service.put_secret_value(&context, value).await.expect("puts");
    assert_eq!(text(&service, "a", Some(PENDING)).await, "rotated");
    let cancel = CancelRotateSecretRequest { secret_id: "a".into() };
    let cancelled = service.cancel_rotate_secret(&context, cancel).await.expect("cancels");
    assert_eq!(cancelled.version_id, Some(pending));
    let shown = service.describe_secret(&context, describe("a")).await.expect("describes");
    assert_eq!((shown.rotation_enabled, shown.next_rotation_date), (Some(false), None));
}

#[tokio::test]
async fn old_versions_make_room() {
    let (service, mut context) = (service(), context());
    service.create_secret(&context, create("a")).await.expect("creates");
    for number in 0..99 {
        service.put_secret_value(&context, put("a", &number.to_string(), None)).await.expect("puts");
    }
    let (code, _) = refusal(service.put_secret_value(&context, put("a", "more", None)).await);
    assert_eq!(code, "LimitExceededException");
    context.time = context.time + Duration::from_secs(86_400);
    service.put_secret_value(&context, put("a", "more", None)).await.expect("puts");
    assert_eq!(service.tables.list_all::<SecretVersion>("").await.expect("lists").len(), 100);
}

#[tokio::test]
async fn secrets_are_listed_in_order_and_by_page() {
    let (service, context) = (service(), context());
    for name in ["b", "a", "c"] {
        service.create_secret(&context, create(name)).await.expect("creates");
    }
    for (by, order, expected) in [
        (None, None, ["b", "a", "c"]),
        (None, Some(SortOrderType::Desc), ["c", "a", "b"]),
        (Some(SortByType::Name), None, ["a", "b", "c"]),
        (Some(SortByType::Name), Some(SortOrderType::Desc), ["c", "b", "a"]),
    ] {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let request = ListSecretsRequest {
                sort_by: by,
                sort_order: order,
                max_results: Some(2),
                next_token: token,
                ..ListSecretsRequest::default()
            };
            let page = service.list_secrets(&context, request).await.expect("lists");
            names.extend(page.secret_list.unwrap_or_default().into_iter().filter_map(|secret| secret.name));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(names, expected, "{by:?} {order:?}");
    }
    let bad = ListSecretsRequest { next_token: Some("x".into()), ..ListSecretsRequest::default() };
    assert_eq!(refusal(service.list_secrets(&context, bad).await).0, "InvalidNextTokenException");
}

#[tokio::test]
async fn another_account_needs_the_arn() {
    let (service, own) = (service(), context());
    let made = service.create_secret(&own, create("a")).await.expect("creates");
    let other = RequestContext { account: "999999999999".parse().expect("an account"), ..context() };
    let (code, _) = refusal(service.get_secret_value(&other, get("a", None)).await);
    assert_eq!(code, "ResourceNotFoundException");
    let arn = made.arn.expect("an ARN");
    service.get_secret_value(&other, get(&arn, None)).await.expect("whoever gets here may read it");
    let rows = service.tables.list_all::<Secret>("").await.expect("lists");
    assert_eq!(rows[0].key(), "123456789012/us-east-1/a");
}

/// The permissions of a request as `action resource`, and those that carry a resource policy.
async fn asked(service: &SecretsManagerService, operation: &str, input: &str) -> (Vec<String>, usize) {
    let operation = shapes::DEFINITION.operation(operation).expect("an operation");
    let input: Node = serde_json::from_str(input).expect("JSON");
    let asked = service.permissions(operation, &context(), &input).await.expect("permissions");
    let policies = asked.iter().filter(|one| one.resource_policy.is_some()).count();
    (asked.iter().map(|one| format!("{} {}", one.action, one.resource)).collect(), policies)
}

#[tokio::test]
async fn every_secret_of_a_request_is_asked_for() {
    let (service, context) = (service(), context());
    let arn = service.create_secret(&context, create("a")).await.expect("creates").arn.expect("an ARN");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}"#;
    let put = PutResourcePolicyRequest {
        secret_id: "a".into(),
        resource_policy: policy.into(),
        ..PutResourcePolicyRequest::default()
    };
    service.put_resource_policy(&context, put).await.expect("puts");
    let prefix = "arn:aws:secretsmanager:us-east-1:123456789012:secret:";
    for id in ["a", &arn, &arn[..arn.len() - 7]] {
        let found = asked(&service, "GetSecretValue", &format!(r#"{{"SecretId":"{id}"}}"#)).await;
        assert_eq!(found, (vec![format!("secretsmanager:GetSecretValue {arn}")], 1), "{id}");
    }
    let missing = asked(&service, "GetSecretValue", r#"{"SecretId":"b"}"#).await;
    assert_eq!(missing, (vec![format!("secretsmanager:GetSecretValue {prefix}b")], 0));
    let batch = vec![
        "secretsmanager:BatchGetSecretValue *".to_owned(),
        format!("secretsmanager:GetSecretValue {arn}"),
    ];
    assert_eq!(asked(&service, "BatchGetSecretValue", r#"{"SecretIdList":["a"]}"#).await, (batch.clone(), 1));
    let filtered = r#"{"Filters":[{"Key":"name","Values":["a"]}]}"#;
    let (mut found, _) = asked(&service, "BatchGetSecretValue", filtered).await;
    found.retain(|one| one != "secretsmanager:ListSecrets *");
    assert_eq!(found, batch);
    let create = r#"{"Name":"new","Tags":[{"Key":"k","Value":"v"}]}"#;
    assert_eq!(
        asked(&service, "CreateSecret", create).await.0,
        [
            format!("secretsmanager:CreateSecret {prefix}new"),
            format!("secretsmanager:TagResource {prefix}new"),
        ]
    );
    assert_eq!(asked(&service, "ListSecrets", "{}").await.0, ["secretsmanager:ListSecrets *"]);
}

#[tokio::test]
async fn policies_keep_ids_and_name_only_who_is_there() {
    use resources::iam::{PrincipalPolicies, User};
    let (service, context) = (service(), context());
    service.create_secret(&context, create("s")).await.expect("creates");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue",
        "Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"},"Resource":"*"}]}"#;
    let put = |policy: &str| PutResourcePolicyRequest {
        secret_id: "s".into(),
        resource_policy: policy.into(),
        ..PutResourcePolicyRequest::default()
    };
    let refused = service.put_resource_policy(&context, put(policy)).await.expect_err("is nobody");
    assert_eq!(refused.shape.name, "MalformedPolicyDocumentException");
    assert_eq!(refused.message, "This resource policy contains an unsupported principal.");
    for bad in
        ["", "some policy", "[]", "{}", r#"{"Statement":[]}"#, r#"{"Statement":[{}]}"#, &"[".repeat(20_000)]
    {
        let refused = service.put_resource_policy(&context, put(bad)).await.expect_err("is no policy");
        assert_eq!(refused.shape.name, "MalformedPolicyDocumentException");
    }
    let ann = User {
        account: context.account.clone(),
        name: "ann".into(),
        path: "/".into(),
        id: "AIDAAAAAAAAAAAAAAAAAA".into(),
        groups: vec![],
        policies: PrincipalPolicies::default(),
        boundary: None,
        access_keys: vec![],
        mfa_devices: vec![],
        login_profile: None,
        tags: vec![],
        created_at: context.time,
    };
    let row = service.tables.create(ann.clone()).await.expect("creates");
    service.put_resource_policy(&context, put(policy)).await.expect("puts");
    let shown = || async {
        let input = GetResourcePolicyRequest { secret_id: "s".into() };
        service.get_resource_policy(&context, input).await.expect("reads").resource_policy.expect("has one")
    };
    assert_eq!(shown().await, policy);
    service.tables.delete(&row).await.expect("deletes");
    service.tables.create(User { id: "AIDABBBBBBBBBBBBBBBBB".into(), ..ann.clone() }).await.expect("creates");
    assert_eq!(shown().await, policy.replace("arn:aws:iam::123456789012:user/ann", &ann.id));
}
