//! The service over a store in memory.

mod documents;

use super::*;
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use std::net::{IpAddr, Ipv4Addr};

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

use environment::Environment;
use resources::sealed::SealedText;
use resources::secrets::{CURRENT, PREVIOUS, Secret, SecretVersion, ValueKind, VersionInfo};
use resources::ssm::ParameterVersion;
use std::time::Duration;
use store::MemoryStore;

const VALUE: &str = "correct horse battery staple";

pub(crate) fn service() -> SsmService {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    SsmService::new(tables, KeyRing::in_memory(environment))
}

fn put(name: &str, value: &str, kind: Option<ParameterType>) -> PutParameterRequest {
    PutParameterRequest {
        name: name.into(),
        value: value.into(),
        r#type: kind,
        ..PutParameterRequest::default()
    }
}

fn over(name: &str, value: &str) -> PutParameterRequest {
    PutParameterRequest { overwrite: Some(true), ..put(name, value, Some(ParameterType::String)) }
}

fn get(name: &str, decrypt: bool) -> GetParameterRequest {
    GetParameterRequest { name: name.into(), with_decryption: Some(decrypt) }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.expect_err("refused");
    (error.shape.name, error.message.into_owned())
}

async fn value(service: &SsmService, name: &str) -> String {
    let found = service.get_parameter(&context(), get(name, true)).await.expect("gets");
    found.parameter.and_then(|parameter| parameter.value).expect("a value")
}

#[tokio::test]
async fn values_are_stored_sealed_and_secure_ones_are_opened_on_demand() {
    let (service, context) = (service(), context());
    for (name, kind) in [("plain", ParameterType::String), ("secure", ParameterType::SecureString)] {
        let input = put(name, VALUE, Some(kind));
        assert!(!format!("{input:?}").contains(VALUE));
        service.put_parameter(&context, input).await.expect("puts");
        assert_eq!(value(&service, name).await, VALUE);
    }
    let rows = service.tables.list_all::<ParameterVersion>("").await.expect("lists");
    for row in &rows {
        let stored = serde_json::to_string(&*row.value).expect("JSON");
        assert!(stored.contains("\"ls1.") && !stored.contains(VALUE), "{stored}");
        assert!(!format!("{:?}", row.value).contains(VALUE));
    }
    let seen = |name| service.get_parameter(&context, get(name, false));
    let plain = seen("plain").await.expect("gets").parameter.expect("a parameter");
    assert_eq!(plain.value.as_deref(), Some(VALUE));
    let secure = seen("secure").await.expect("gets").parameter.expect("a parameter");
    assert!(secure.value.as_deref().is_some_and(|value| value.starts_with("ls1.")), "{secure:?}");
    assert!(!format!("{plain:?}").contains(VALUE));
    let described = service.describe_parameters(&context, DescribeParametersRequest::default()).await;
    let described = described.expect("describes").parameters.expect("parameters");
    assert!(!format!("{described:?}").contains(VALUE));
    assert_eq!(described[1].key_id.as_deref(), Some("alias/aws/ssm"));
}

#[tokio::test]
async fn versions_follow_one_another_and_a_hundred_are_kept() {
    let (service, context) = (service(), context());
    for number in 1..=100 {
        service.put_parameter(&context, over("/a", &number.to_string())).await.expect("puts");
    }
    let label = |version, labels: &[&str]| LabelParameterVersionRequest {
        name: "/a".into(),
        parameter_version: Some(version),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    service.label_parameter_version(&context, label(1, &["old"])).await.expect("labels");
    assert_eq!(value(&service, "a:old").await, "1");
    let (code, message) = refusal(service.put_parameter(&context, over("/a", "101")).await);
    assert_eq!(code, "ParameterMaxVersionLimitExceeded");
    assert!(message.contains("Version 1, the oldest version"), "{message}");

    let moved = service.label_parameter_version(&context, label(50, &["old", "9no", "awsno"])).await;
    assert_eq!(moved.expect("moves").invalid_labels, Some(vec!["9no".to_owned(), "awsno".to_owned()]));
    service.put_parameter(&context, over("/a", "101")).await.expect("puts");
    assert_eq!(service.tables.list_all::<ParameterVersion>("").await.expect("lists").len(), 100);
    assert_eq!((value(&service, "/a").await, value(&service, "/a:2").await), ("101".into(), "2".into()));
    for (name, code) in [
        ("/a:1", "ParameterVersionNotFound"),
        ("/a:102", "ParameterVersionNotFound"),
        ("/a:none", "ParameterVersionNotFound"),
        ("/b", "ParameterNotFound"),
        ("/a:1:2", "ParameterNotFound"),
    ] {
        assert_eq!(refusal(service.get_parameter(&context, get(name, true)).await).0, code, "{name}");
    }
    let eleven: Vec<String> = (0..10).map(|number| format!("l{number}")).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let (code, _) = refusal(service.label_parameter_version(&context, label(50, &eleven)).await);
    assert_eq!(code, "ParameterVersionLabelLimitExceeded");
    let request = UnlabelParameterVersionRequest {
        name: "/a".into(),
        parameter_version: 50,
        labels: vec!["old".into(), "none".into()],
    };
    let unlabelled = service.unlabel_parameter_version(&context, request).await.expect("unlabels");
    assert_eq!(unlabelled.removed_labels, Some(vec!["old".to_owned()]));
    assert_eq!(unlabelled.invalid_labels, Some(vec!["none".to_owned()]));

    let deleted = service.delete_parameter(&context, DeleteParameterRequest { name: "a".into() }).await;
    deleted.expect("deletes");
    assert!(service.tables.list_all::<ParameterVersion>("").await.expect("lists").is_empty());
}

#[tokio::test]
async fn what_a_new_value_does_not_say_stays() {
    let (service, context) = (service(), context());
    let first = PutParameterRequest {
        description: Some("d".into()),
        allowed_pattern: Some("[a-z]+".into()),
        tags: Some(vec![Tag { key: "k".into(), value: "v".into() }]),
        ..put("p", "abc", Some(ParameterType::String))
    };
    service.put_parameter(&context, first).await.expect("puts");
    let again = PutParameterRequest { overwrite: Some(true), ..put("p", "def", None) };
    assert_eq!(service.put_parameter(&context, again).await.expect("puts").version, Some(2));
    let shown = service.describe_parameters(&context, DescribeParametersRequest::default()).await;
    let shown = shown.expect("describes").parameters.expect("parameters").remove(0);
    assert_eq!(shown.description.as_deref(), Some("d"));
    assert_eq!(shown.allowed_pattern.as_deref(), Some("[a-z]+"));
    let tags = ListTagsForResourceRequest {
        resource_type: ResourceTypeForTagging::Parameter,
        resource_id: "/p".into(),
    };
    let tags = service.list_tags_for_resource(&context, tags).await.expect("lists").tag_list;
    assert_eq!(tags.map(|tags| tags.len()), Some(1));

    let overwriting = |request: PutParameterRequest| PutParameterRequest { overwrite: Some(true), ..request };
    let tag = Tag { key: "k".into(), value: "v".into() };
    let cases = [
        (put("p", "abc", None), "ParameterAlreadyExists"),
        (overwriting(put("p", "ABC", None)), "ParameterPatternMismatchException"),
        (overwriting(put("p", "a", Some(ParameterType::SecureString))), "HierarchyTypeMismatchException"),
        (PutParameterRequest { tags: Some(vec![tag]), ..over("p", "a") }, "ValidationException"),
        (put("new", "a", None), "ValidationException"),
        (put("new", "", Some(ParameterType::String)), "ValidationException"),
        (put("new", &"x".repeat(4097), Some(ParameterType::String)), "ValidationException"),
        (PutParameterRequest { key_id: Some("k".into()), ..over("new", "a") }, "ValidationException"),
        (PutParameterRequest { data_type: Some("Text".into()), ..over("new", "a") }, "ValidationException"),
    ];
    for (request, code) in cases {
        let shown = format!("{request:?}");
        assert_eq!(refusal(service.put_parameter(&context, request).await).0, code, "{shown}");
    }
}

#[tokio::test]
async fn advanced_parameters_hold_more_and_expire() {
    let (service, mut context) = (service(), context());
    let tier = |tier, value: &str| PutParameterRequest { tier: Some(tier), ..over("p", value) };
    let long = "x".repeat(5000);
    let made = service.put_parameter(&context, tier(ParameterTier::IntelligentTiering, &long)).await;
    assert_eq!(made.expect("puts").tier, Some(ParameterTier::Advanced));
    let (_, message) = refusal(service.put_parameter(&context, tier(ParameterTier::Standard, "x")).await);
    assert!(message.contains("can't downgrade"), "{message}");

    let date = (context.time + Duration::from_secs(60)).to_rfc3339_seconds();
    let policy =
        format!(r#"[{{"Type":"Expiration","Version":"1.0","Attributes":{{"Timestamp":"{date}"}}}}]"#);
    let expiring = PutParameterRequest { policies: Some(policy.clone()), ..over("p", "x") };
    service.put_parameter(&context, expiring).await.expect("puts");
    let standard = PutParameterRequest { policies: Some(policy), ..over("q", "x") };
    assert_eq!(refusal(service.put_parameter(&context, standard).await).0, "ValidationException");
    context.time = context.time + Duration::from_secs(60);
    assert_eq!(refusal(service.get_parameter(&context, get("p", true)).await).0, "ParameterNotFound");
    let all =
        service.describe_parameters(&context, DescribeParametersRequest::default()).await.expect("lists");
    assert_eq!(all.parameters, Some(vec![]));
    // The name is free, even if nobody has swept yet.
    let anew = service.put_parameter(&context, put("p", "new", Some(ParameterType::String))).await;
    assert_eq!(anew.expect("puts").version, Some(1));
    assert_eq!(value(&service, "p").await, "new");
}

#[tokio::test]
async fn secrets_are_read_by_reference() {
    let (service, context) = (service(), context());
    let version = |id: &str, stage: &str| VersionInfo {
        id: id.into(),
        stages: vec![stage.into()],
        created_at: context.time,
    };
    let secret = Secret {
        account: "123456789012".into(),
        region: "us-east-1".into(),
        name: "app/db".into(),
        suffix: "AbCdEf".into(),
        id: "s".into(),
        description: None,
        kms_key_id: None,
        tags: None,
        policy: None,
        created_at: context.time,
        changed_at: context.time,
        deletion: None,
        rotation: None,
        versions: vec![version("1", PREVIOUS), version("2", CURRENT)],
    };
    for (id, value) in [("1", "old"), ("2", VALUE)] {
        let purpose = SecretVersion::purpose_of(&secret.account, &secret.id, id);
        let row = SecretVersion {
            account: secret.account.clone(),
            secret_id: secret.id.clone(),
            id: id.into(),
            kind: ValueKind::Text,
            sealed: SealedText::new(service.keys.seal(&purpose, value.as_bytes())),
        };
        service.tables.create(row).await.expect("creates");
    }
    service.tables.create(secret).await.expect("creates");
    let name = "/aws/reference/secretsmanager/app/db";
    assert_eq!(value(&service, name).await, VALUE);
    assert_eq!(value(&service, &format!("{name}:AWSPREVIOUS")).await, "old");
    assert_eq!(value(&service, &format!("{name}:1")).await, "old");
    let (code, message) = refusal(service.get_parameter(&context, get(name, false)).await);
    assert_eq!((code, message.contains("WithDecryption flag must be True")), ("ValidationException", true));
    let (code, message) = refusal(service.get_parameter(&context, get(&format!("{name}2"), true)).await);
    assert_eq!((code, message.contains("when referencing Secrets Manager")), ("ParameterNotFound", true));
}

#[tokio::test]
async fn another_account_finds_nothing() {
    let (service, own) = (service(), context());
    service.put_parameter(&own, over("a", VALUE)).await.expect("puts");
    let other = RequestContext { account: "999999999999".parse().expect("an account"), ..context() };
    for name in ["a", "arn:aws:ssm:us-east-1:123456789012:parameter/a"] {
        assert_eq!(refusal(service.get_parameter(&other, get(name, true)).await).0, "ParameterNotFound");
    }
    assert_eq!(value(&service, "arn:aws:ssm:us-east-1:123456789012:parameter/a").await, VALUE);
    let names =
        GetParametersRequest { names: vec!["a".into(), "b".into(), "a".into()], with_decryption: None };
    let found = service.get_parameters(&own, names).await.expect("gets");
    assert_eq!(found.parameters.map(|found| found.len()), Some(1));
    assert_eq!(found.invalid_parameters, Some(vec!["b".to_owned()]));
}
