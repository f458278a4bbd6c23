//! Nothing is deleted that something hangs on, not even when both are asked for at the same time.

use super::*;
use crate::shapes::*;
use resources::iam::{ManagedPolicy, User, key_of};
use std::sync::Arc;

#[tokio::test]
async fn users_go_when_nothing_hangs_on_them() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let delete = || DeleteUserRequest { user_name: "ann".into() };
    let put = PutUserPolicyRequest {
        user_name: "ann".into(),
        policy_name: "a".into(),
        policy_document: ALLOW_LIST.into(),
    };
    service.put_user_policy(&context, put).await.expect("puts");
    assert_eq!(
        refused(service.delete_user(&context, delete()).await),
        ("DeleteConflict", "Cannot delete entity, must delete policies first.".to_owned())
    );
    let drop = DeleteUserPolicyRequest { user_name: "ann".into(), policy_name: "a".into() };
    service.delete_user_policy(&context, drop).await.expect("deletes");
    let key = CreateAccessKeyRequest { user_name: Some("ann".into()) };
    let key = service.create_access_key(&context, key).await.expect("creates").access_key;
    assert_eq!(
        refused(service.delete_user(&context, delete()).await).1,
        "Cannot delete entity, must delete access keys first."
    );
    let drop = DeleteAccessKeyRequest { access_key_id: key.access_key_id, user_name: Some("ann".into()) };
    service.delete_access_key(&context, drop).await.expect("deletes");
    service.delete_user(&context, delete()).await.expect("deletes");
    assert_eq!(code(service.delete_user(&context, delete()).await), "NoSuchEntity");
}

#[tokio::test]
async fn roles_in_instance_profiles_stay() {
    let (service, context) = fixture();
    role(&service, &context, "worker").await;
    let profile = CreateInstanceProfileRequest {
        instance_profile_name: "hosts".into(),
        ..CreateInstanceProfileRequest::default()
    };
    service.create_instance_profile(&context, profile).await.expect("creates");
    let add =
        AddRoleToInstanceProfileRequest { instance_profile_name: "hosts".into(), role_name: "worker".into() };
    service.add_role_to_instance_profile(&context, add.clone()).await.expect("adds");
    assert_eq!(
        refused(service.add_role_to_instance_profile(&context, add).await),
        ("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1".to_owned())
    );
    let delete_role = || DeleteRoleRequest { role_name: "worker".into() };
    assert_eq!(
        refused(service.delete_role(&context, delete_role()).await).1,
        "Cannot delete entity, must remove roles from instance profile first."
    );
    let delete_profile = || DeleteInstanceProfileRequest { instance_profile_name: "hosts".into() };
    assert_eq!(code(service.delete_instance_profile(&context, delete_profile()).await), "DeleteConflict");
    let list = ListInstanceProfilesForRoleRequest {
        role_name: "worker".into(),
        ..ListInstanceProfilesForRoleRequest::default()
    };
    let listed = service.list_instance_profiles_for_role(&context, list).await.expect("lists");
    assert_eq!(listed.instance_profiles[0].roles[0].role_name, "worker");
    let remove = RemoveRoleFromInstanceProfileRequest {
        instance_profile_name: "hosts".into(),
        role_name: "worker".into(),
    };
    service.remove_role_from_instance_profile(&context, remove).await.expect("removes");
    service.delete_role(&context, delete_role()).await.expect("deletes");
    service.delete_instance_profile(&context, delete_profile()).await.expect("deletes");
}

/// Attaching and deleting race many times; whoever wins, no user keeps a policy that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_never_deleted_under_its_user() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let service = Arc::new(service);
    for round in 0..50 {
        let arn = policy(&service, &context, &format!("p{round}")).await;
        let attach = AttachUserPolicyRequest { user_name: "ann".into(), policy_arn: arn.clone() };
        let delete = DeletePolicyRequest { policy_arn: arn.clone() };
        let attaching = tokio::spawn({
            let (service, context) = (service.clone(), context.clone());
            async move { service.attach_user_policy(&context, attach).await.is_ok() }
        });
        let deleted = service.delete_policy(&context, delete).await.is_ok();
        let attached = attaching.await.expect("joins");
        assert!(attached != deleted, "round {round}: attached {attached}, deleted {deleted}");
        let user = service.tables.get::<User>(&key_of(&context.account, "ann")).await.expect("reads");
        assert_eq!(user.expect("is there").policies.attached.contains(&arn), attached);
        let policy =
            service.tables.get::<ManagedPolicy>(&key_of(&context.account, &format!("p{round}"))).await;
        assert_eq!(policy.expect("reads").is_some(), attached);
        if attached {
            let detach = DetachUserPolicyRequest { user_name: "ann".into(), policy_arn: arn };
            service.detach_user_policy(&context, detach).await.expect("detaches");
        }
    }
}
