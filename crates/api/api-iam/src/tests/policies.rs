//! Managed policies, inline policies, attachments and boundaries.

use super::*;
use crate::shapes::*;

#[tokio::test]
async fn versions_have_numbers_that_are_never_used_twice() {
    let (service, context) = fixture();
    let arn = policy(&service, &context, "p").await;
    let version = |set_as_default| CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: ALLOW_LIST.into(),
        set_as_default,
    };
    for number in 2..=5 {
        let made =
            service.create_policy_version(&context, version(Some(number == 2))).await.expect("makes one");
        let made = made.policy_version.expect("is shown");
        assert_eq!(made.version_id, Some(format!("v{number}")));
        assert_eq!(made.is_default_version, Some(number == 2));
    }
    assert_eq!(code(service.create_policy_version(&context, version(None)).await), "LimitExceeded");
    let delete = |id: &str| DeletePolicyVersionRequest { policy_arn: arn.clone(), version_id: id.to_owned() };
    assert_eq!(
        refused(service.delete_policy_version(&context, delete("v2")).await),
        ("DeleteConflict", "Cannot delete the default version of a policy.".to_owned())
    );
    assert_eq!(code(service.delete_policy_version(&context, delete("v9")).await), "NoSuchEntity");
    service.delete_policy_version(&context, delete("v5")).await.expect("deletes");
    let made = service.create_policy_version(&context, version(None)).await.expect("makes one");
    assert_eq!(made.policy_version.expect("is shown").version_id.as_deref(), Some("v6"));
    let list = ListPolicyVersionsRequest { policy_arn: arn.clone(), ..ListPolicyVersionsRequest::default() };
    let listed = service.list_policy_versions(&context, list).await.expect("lists").versions.expect("a list");
    let ids: Vec<_> = listed.iter().filter_map(|version| version.version_id.clone()).collect();
    assert_eq!(ids, ["v6", "v4", "v3", "v2", "v1"]);
    assert!(listed.iter().all(|version| version.document.is_none()));
    assert_eq!(
        code(service.delete_policy(&context, DeletePolicyRequest { policy_arn: arn.clone() }).await),
        "DeleteConflict"
    );
}

#[tokio::test]
async fn what_is_attached_is_counted_and_kept() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    role(&service, &context, "worker").await;
    let arn = policy(&service, &context, "p").await;
    let attach = AttachUserPolicyRequest { user_name: "ann".into(), policy_arn: arn.clone() };
    service.attach_user_policy(&context, attach.clone()).await.expect("attaches");
    service.attach_user_policy(&context, attach).await.expect("again without effect");
    let bound =
        PutRolePermissionsBoundaryRequest { role_name: "worker".into(), permissions_boundary: arn.clone() };
    service.put_role_permissions_boundary(&context, bound).await.expect("bounds");
    let shown =
        service.get_policy(&context, GetPolicyRequest { policy_arn: arn.clone() }).await.expect("is there");
    let shown = shown.policy.expect("is shown");
    assert_eq!((shown.attachment_count, shown.permissions_boundary_usage_count), (Some(1), Some(1)));
    let entities =
        ListEntitiesForPolicyRequest { policy_arn: arn.clone(), ..ListEntitiesForPolicyRequest::default() };
    let entities = service.list_entities_for_policy(&context, entities).await.expect("lists");
    assert_eq!(entities.policy_users.map(|list| list.len()), Some(1));
    assert_eq!(entities.policy_roles.map(|list| list.len()), Some(1));
    let delete = || DeletePolicyRequest { policy_arn: arn.clone() };
    assert_eq!(
        refused(service.delete_policy(&context, delete()).await),
        ("DeleteConflict", "Cannot delete a policy attached to entities.".to_owned())
    );
    let detach = DetachUserPolicyRequest { user_name: "ann".into(), policy_arn: arn.clone() };
    service.detach_user_policy(&context, detach.clone()).await.expect("detaches");
    assert_eq!(
        refused(service.detach_user_policy(&context, detach).await),
        ("NoSuchEntity", format!("Policy {arn} was not found."))
    );
    assert_eq!(code(service.delete_policy(&context, delete()).await), "DeleteConflict");
    service.delete_role(&context, DeleteRoleRequest { role_name: "worker".into() }).await.expect("deletes");
    service.delete_policy(&context, delete()).await.expect("deletes");
}

#[tokio::test]
async fn only_policies_that_exist_are_attached() {
    let (service, context) = fixture();
    role(&service, &context, "worker").await;
    let attach =
        |arn: &str| AttachRolePolicyRequest { role_name: "worker".into(), policy_arn: arn.to_owned() };
    let missing = "arn:aws:iam::123456789012:policy/missing";
    assert_eq!(
        refused(service.attach_role_policy(&context, attach(missing)).await),
        ("NoSuchEntity", format!("Policy {missing} does not exist or is not attachable."))
    );
    assert_eq!(
        code(service.attach_role_policy(&context, attach("not-an-arn-of-a-policy")).await),
        "InvalidInput"
    );
    let aws = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    service.attach_role_policy(&context, attach(aws)).await.expect("attaches");
    let list = ListAttachedRolePoliciesRequest {
        role_name: "worker".into(),
        ..ListAttachedRolePoliciesRequest::default()
    };
    let listed = service.list_attached_role_policies(&context, list).await.expect("lists");
    let listed = listed.attached_policies.expect("a list");
    assert_eq!(listed[0].policy_name.as_deref(), Some("AmazonECSTaskExecutionRolePolicy"));
    let list = ListPoliciesRequest { only_attached: Some(true), ..ListPoliciesRequest::default() };
    let listed = service.list_policies(&context, list).await.expect("lists").policies.expect("a list");
    assert_eq!(listed.iter().map(|policy| policy.arn.as_deref()).collect::<Vec<_>>(), [Some(aws)]);
    let boundary = PutRolePermissionsBoundaryRequest {
        role_name: "worker".into(),
        permissions_boundary: "arn:aws:iam::123456789:not_a_boundary".into(),
    };
    assert_eq!(
        refused(service.put_role_permissions_boundary(&context, boundary).await).1,
        "Value (arn:aws:iam::123456789:not_a_boundary) for parameter PermissionsBoundary is invalid."
    );
}

#[tokio::test]
async fn ten_policies_are_attached_at_most() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    for number in 0..11 {
        let arn = policy(&service, &context, &format!("p{number}")).await;
        let attach = AttachUserPolicyRequest { user_name: "ann".into(), policy_arn: arn };
        let attached = service.attach_user_policy(&context, attach).await;
        if number < 10 {
            attached.expect("attaches");
        } else {
            let text = "Cannot exceed quota for PoliciesPerUser: 10".to_owned();
            assert_eq!(refused(attached), ("LimitExceeded", text));
        }
    }
}

#[tokio::test]
async fn policies_of_aws_are_there_and_stay_as_they_are() {
    let (service, context) = fixture();
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess".to_owned();
    let version = GetPolicyVersionRequest { policy_arn: arn.clone(), version_id: "v1".into() };
    let version = service.get_policy_version(&context, version).await.expect("is there");
    let document = version.policy_version.and_then(|version| version.document).expect("a document");
    assert!(document.contains("%22Action%22%3A%22%2A%22"), "{document}");
    let tag = TagPolicyRequest { policy_arn: arn.clone(), tags: Vec::new() };
    assert_eq!(code(service.tag_policy(&context, tag).await), "ValidationError");
    let delete = DeletePolicyRequest { policy_arn: arn };
    assert_eq!(code(service.delete_policy(&context, delete).await), "ValidationError");
    let list = ListPoliciesRequest {
        scope: Some(PolicyScopeType::Aws),
        path_prefix: Some("/job-function/".into()),
        ..ListPoliciesRequest::default()
    };
    let listed = service.list_policies(&context, list).await.expect("lists").policies.expect("a list");
    assert!(listed.iter().any(|policy| policy.policy_name.as_deref() == Some("ViewOnlyAccess")));
}

#[tokio::test]
async fn inline_policies_have_a_size_together() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let put = |name: &str, document: String| PutUserPolicyRequest {
        user_name: "ann".into(),
        policy_name: name.to_owned(),
        policy_document: document,
    };
    // White space does not count.
    let spaced = format!("{ALLOW_LIST}{}", " ".repeat(3000));
    service.put_user_policy(&context, put("a", spaced)).await.expect("puts");
    let long = ALLOW_LIST.replace("\"*\"", &format!("\"arn:aws:s3:::{}\"", "b".repeat(2000)));
    assert_eq!(
        refused(service.put_user_policy(&context, put("b", long)).await),
        ("LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user ann".to_owned())
    );
    assert_eq!(
        code(service.put_user_policy(&context, put("c", "{".into())).await),
        "MalformedPolicyDocument"
    );
    let get = GetUserPolicyRequest { user_name: "ann".into(), policy_name: "a".into() };
    let got = service.get_user_policy(&context, get).await.expect("is there");
    assert!(got.policy_document.starts_with("%7B"));
    let delete = DeleteUserPolicyRequest { user_name: "ann".into(), policy_name: "a".into() };
    service.delete_user_policy(&context, delete.clone()).await.expect("deletes");
    assert_eq!(
        refused(service.delete_user_policy(&context, delete).await),
        ("NoSuchEntity", "The user policy with name a cannot be found.".to_owned())
    );
}
