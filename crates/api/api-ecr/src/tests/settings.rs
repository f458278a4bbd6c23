//! Policies, templates, rules and other settings.

use super::{code, create, fixture};
use crate::shapes::*;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
    "Action":"ecr:BatchGetImage"}]}"#;

#[tokio::test]
async fn repository_policies() {
    let (service, context) = fixture().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    let set = |text: &str| SetRepositoryPolicyRequest {
        repository_name: "app".into(),
        policy_text: text.into(),
        ..Default::default()
    };
    let get = || GetRepositoryPolicyRequest { repository_name: "app".into(), registry_id: None };
    assert_eq!(
        code(service.get_repository_policy(&context, get()).await),
        "RepositoryPolicyNotFoundException"
    );
    for bad in ["", "x", "{}", r#"{"Statement":[{"Effect":"Allow"}]}"#, &POLICY.replace("ecr:", "s3:")] {
        let refused = service.set_repository_policy(&context, set(bad)).await.expect_err("refused");
        assert_eq!(
            refused.message,
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
        );
    }
    service.set_repository_policy(&context, set(POLICY)).await.expect("sets");
    let got = service.get_repository_policy(&context, get()).await.expect("gets");
    assert_eq!(got.policy_text.as_deref(), Some(POLICY));
    let delete = DeleteRepositoryPolicyRequest { repository_name: "app".into(), registry_id: None };
    service.delete_repository_policy(&context, delete).await.expect("deletes");
    assert_eq!(
        code(service.get_repository_policy(&context, get()).await),
        "RepositoryPolicyNotFoundException"
    );
}

#[tokio::test]
async fn registry_policies_name_resources_and_keep_to_their_scope() {
    let (service, context) = fixture().await;
    let put = |text: String| PutRegistryPolicyRequest { policy_text: text };
    assert_eq!(
        code(service.put_registry_policy(&context, put(POLICY.to_owned())).await),
        "InvalidParameterException"
    );
    let good = POLICY.replace("\"Action\"", "\"Resource\":\"*\",\"Action\"");
    service.put_registry_policy(&context, put(good.clone())).await.expect("puts");
    let setting =
        |value: &str| PutAccountSettingRequest { name: "REGISTRY_POLICY_SCOPE".into(), value: value.into() };
    assert_eq!(code(service.put_account_setting(&context, setting("V3")).await), "ValidationException");
    service.put_account_setting(&context, setting("V1")).await.expect("puts");
    assert_eq!(code(service.put_registry_policy(&context, put(good)).await), "InvalidParameterException");
    service.delete_registry_policy(&context, DeleteRegistryPolicyRequest {}).await.expect("deletes");
    assert_eq!(
        code(service.delete_registry_policy(&context, DeleteRegistryPolicyRequest {}).await),
        "RegistryPolicyNotFoundException"
    );
}

#[tokio::test]
async fn pull_through_cache_rules() {
    let (service, context) = fixture().await;
    let rule = |prefix: &str, url: &str| CreatePullThroughCacheRuleRequest {
        ecr_repository_prefix: prefix.into(),
        upstream_registry_url: url.into(),
        ..Default::default()
    };
    let made = service.create_pull_through_cache_rule(&context, rule("pub", "public.ecr.aws")).await;
    assert_eq!(made.expect("creates").upstream_registry, Some(UpstreamRegistry::EcrPublic));
    service
        .create_pull_through_cache_rule(&context, rule("own", "registry.example:5000"))
        .await
        .expect("creates");
    for (again, expected) in [
        (rule("pub", "quay.io"), "PullThroughCacheRuleAlreadyExistsException"),
        (rule("hub", "registry-1.docker.io"), "InvalidParameterException"),
        (rule("bad", "registry.example/path"), "UnsupportedUpstreamRegistryException"),
    ] {
        assert_eq!(code(service.create_pull_through_cache_rule(&context, again).await), expected);
    }
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/hub-AbCdEf";
    let with = CreatePullThroughCacheRuleRequest {
        credential_arn: Some(arn.into()),
        ..rule("hub", "registry-1.docker.io")
    };
    assert_eq!(code(service.create_pull_through_cache_rule(&context, with).await), "SecretNotFoundException");
    let all = service
        .describe_pull_through_cache_rules(&context, DescribePullThroughCacheRulesRequest::default())
        .await
        .expect("describes");
    assert_eq!(all.pull_through_cache_rules.map(|rules| rules.len()), Some(2));
    let validate =
        ValidatePullThroughCacheRuleRequest { ecr_repository_prefix: "pub".into(), registry_id: None };
    let valid = service.validate_pull_through_cache_rule(&context, validate).await.expect("validates");
    assert_eq!(valid.is_valid, Some(true));
    let delete =
        || DeletePullThroughCacheRuleRequest { ecr_repository_prefix: "pub".into(), registry_id: None };
    service.delete_pull_through_cache_rule(&context, delete()).await.expect("deletes");
    assert_eq!(
        code(service.delete_pull_through_cache_rule(&context, delete()).await),
        "PullThroughCacheRuleNotFoundException"
    );
}

#[tokio::test]
async fn creation_templates() {
    let (service, context) = fixture().await;
    let template = |prefix: &str| CreateRepositoryCreationTemplateRequest {
        prefix: prefix.into(),
        applied_for: vec![RCTAppliedFor::CreateOnPush],
        image_tag_mutability: Some(ImageTagMutability::Immutable),
        ..Default::default()
    };
    service.create_repository_creation_template(&context, template("team")).await.expect("creates");
    assert_eq!(
        code(service.create_repository_creation_template(&context, template("team")).await),
        "TemplateAlreadyExistsException"
    );
    let update = UpdateRepositoryCreationTemplateRequest {
        prefix: "team".into(),
        description: Some("d".into()),
        ..Default::default()
    };
    let new = service.update_repository_creation_template(&context, update).await.expect("updates");
    let new = new.repository_creation_template.expect("one");
    assert_eq!(
        (new.description.as_deref(), new.image_tag_mutability),
        (Some("d"), Some(ImageTagMutability::Immutable))
    );
    let made = service
        .registry
        .ensure_repository(&context.account, "team/app", resources::ecr::AppliedFor::CreateOnPush)
        .await
        .expect("makes");
    assert!(made.is_immutable("v1"));
    let delete = || DeleteRepositoryCreationTemplateRequest { prefix: "team".into() };
    service.delete_repository_creation_template(&context, delete()).await.expect("deletes");
    assert_eq!(
        code(service.delete_repository_creation_template(&context, delete()).await),
        "TemplateNotFoundException"
    );
}

#[tokio::test]
async fn lifecycle_policies_and_previews() {
    let (service, context) = fixture().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    super::add_image(&service, &context, "sha256:aa", &["v1"], &[]).await;
    super::add_image(&service, &context, "sha256:bb", &[], &[]).await;
    super::add_image(&service, &context, "sha256:cc", &[], &[]).await;
    let policy = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged",
        "countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#;
    let start = |text: Option<&str>| StartLifecyclePolicyPreviewRequest {
        repository_name: "app".into(),
        lifecycle_policy_text: text.map(Into::into),
        registry_id: None,
    };
    assert_eq!(
        code(service.start_lifecycle_policy_preview(&context, start(None)).await),
        "LifecyclePolicyNotFoundException"
    );
    let get = || GetLifecyclePolicyPreviewRequest { repository_name: "app".into(), ..Default::default() };
    assert_eq!(
        code(service.get_lifecycle_policy_preview(&context, get()).await),
        "LifecyclePolicyPreviewNotFoundException"
    );
    service.start_lifecycle_policy_preview(&context, start(Some(policy))).await.expect("starts");
    let preview = service.get_lifecycle_policy_preview(&context, get()).await.expect("gets");
    assert_eq!(preview.status, Some(LifecyclePolicyPreviewStatus::Complete));
    assert_eq!(preview.summary.and_then(|summary| summary.expiring_image_total_count), Some(1));
    let results = preview.preview_results.expect("results");
    assert_eq!(results[0].image_digest.as_deref(), Some("sha256:cc"));
    let put = |text: &str| PutLifecyclePolicyRequest {
        repository_name: "app".into(),
        lifecycle_policy_text: text.into(),
        registry_id: None,
    };
    assert_eq!(code(service.put_lifecycle_policy(&context, put("{}")).await), "InvalidParameterException");
    service.put_lifecycle_policy(&context, put(policy)).await.expect("puts");
    let get = || GetLifecyclePolicyRequest { repository_name: "app".into(), registry_id: None };
    let got = service.get_lifecycle_policy(&context, get()).await.expect("gets");
    assert_eq!(got.lifecycle_policy_text.as_deref(), Some(policy));
    let delete = DeleteLifecyclePolicyRequest { repository_name: "app".into(), registry_id: None };
    service.delete_lifecycle_policy(&context, delete).await.expect("deletes");
    assert_eq!(code(service.get_lifecycle_policy(&context, get()).await), "LifecyclePolicyNotFoundException");
}

#[tokio::test]
async fn replication_and_exclusions() {
    let (service, context) = fixture().await;
    let put = |region: &str, account: &str| PutReplicationConfigurationRequest {
        replication_configuration: ReplicationConfiguration {
            rules: vec![ReplicationRule {
                destinations: vec![ReplicationDestination {
                    region: region.into(),
                    registry_id: account.into(),
                }],
                repository_filters: None,
            }],
        },
    };
    service.put_replication_configuration(&context, put("us-east-1", "222222222222")).await.expect("puts");
    for (region, account, expected) in [
        ("us-east-1", "123456789012", "InvalidParameterException"),
        ("eu-west-1", "123456789012", "ValidationException"),
    ] {
        assert_eq!(
            code(service.put_replication_configuration(&context, put(region, account)).await),
            expected
        );
    }
    let registry = service.describe_registry(&context, DescribeRegistryRequest {}).await.expect("describes");
    assert_eq!(registry.replication_configuration.map(|configuration| configuration.rules.len()), Some(1));
    let arn = || "arn:aws:iam::123456789012:role/scanner".to_owned();
    let register = || RegisterPullTimeUpdateExclusionRequest { principal_arn: arn() };
    service.register_pull_time_update_exclusion(&context, register()).await.expect("registers");
    assert_eq!(
        code(service.register_pull_time_update_exclusion(&context, register()).await),
        "ExclusionAlreadyExistsException"
    );
    let listed = service
        .list_pull_time_update_exclusions(&context, ListPullTimeUpdateExclusionsRequest::default())
        .await
        .expect("lists");
    assert_eq!(listed.pull_time_update_exclusions, Some(vec![arn()]));
    let remove = || DeregisterPullTimeUpdateExclusionRequest { principal_arn: arn() };
    service.deregister_pull_time_update_exclusion(&context, remove()).await.expect("removes");
    assert_eq!(
        code(service.deregister_pull_time_update_exclusion(&context, remove()).await),
        "ExclusionNotFoundException"
    );
}
