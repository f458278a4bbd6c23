//! Users, groups and roles: their lives, names and lists.

use super::*;
use crate::shapes::*;

#[tokio::test]
async fn names_differ_by_more_than_case() {
    let (service, context) = fixture();
    user(&service, &context, "Deployer").await;
    let again = CreateUserRequest { user_name: "deployer".into(), ..CreateUserRequest::default() };
    assert_eq!(
        refused(service.create_user(&context, again).await),
        ("EntityAlreadyExists", "User with name deployer already exists.".to_owned())
    );
    let get = GetUserRequest { user_name: Some("nobody".into()) };
    assert_eq!(
        refused(service.get_user(&context, get).await),
        ("NoSuchEntity", "The user with name nobody cannot be found.".to_owned())
    );
}

#[tokio::test]
async fn get_user_without_a_name_is_the_caller() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let root = service.get_user(&context, GetUserRequest::default()).await.expect("the root").user;
    assert_eq!((root.arn.as_str(), root.user_id.as_str()), ("arn:aws:iam::123456789012:root", ACCOUNT));
    let ann = service.get_user(&by_user(&context, "ann"), GetUserRequest::default()).await.expect("ann").user;
    assert_eq!(ann.user_name, "ann");
    assert!(ann.user_id.starts_with("AIDA") && ann.user_id.len() == 21);
    let session = RequestContext {
        principal_arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/s").into(),
        ..context.clone()
    };
    assert_eq!(code(service.get_user(&session, GetUserRequest::default()).await), "ValidationError");
}

#[tokio::test]
async fn renaming_a_user_takes_keys_along() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let key = CreateAccessKeyRequest { user_name: Some("ann".into()) };
    let id = service.create_access_key(&context, key).await.expect("creates").access_key.access_key_id;
    let rename = UpdateUserRequest {
        user_name: "ann".into(),
        new_user_name: Some("anna".into()),
        new_path: Some("/team/".into()),
    };
    service.update_user(&context, rename).await.expect("renames");
    let key =
        service.tables.get::<resources::access::AccessKey>(&id).await.expect("reads").expect("is there");
    assert_eq!(key.principal_arn, "arn:aws:iam::123456789012:user/team/anna");
    assert_eq!(key.user.as_deref(), Some("anna"));
    let gone = GetUserRequest { user_name: Some("ann".into()) };
    assert_eq!(code(service.get_user(&context, gone).await), "NoSuchEntity");
}

#[tokio::test]
async fn groups_keep_their_users_when_renamed() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let group = CreateGroupRequest { group_name: "devs".into(), ..CreateGroupRequest::default() };
    service.create_group(&context, group).await.expect("creates");
    let join = AddUserToGroupRequest { group_name: "devs".into(), user_name: "ann".into() };
    for _ in 0..2 {
        service.add_user_to_group(&context, join.clone()).await.expect("joins, again without effect");
    }
    let delete = DeleteGroupRequest { group_name: "devs".into() };
    assert_eq!(
        refused(service.delete_group(&context, delete).await),
        ("DeleteConflict", "Cannot delete entity, must remove users from group first.".to_owned())
    );
    let rename = UpdateGroupRequest {
        group_name: "devs".into(),
        new_group_name: Some("builders".into()),
        new_path: None,
    };
    service.update_group(&context, rename).await.expect("renames");
    let get = GetGroupRequest { group_name: "builders".into(), ..GetGroupRequest::default() };
    let group = service.get_group(&context, get).await.expect("is there");
    assert_eq!(group.users.iter().map(|user| user.user_name.as_str()).collect::<Vec<_>>(), ["ann"]);
    let leave = RemoveUserFromGroupRequest { group_name: "builders".into(), user_name: "ann".into() };
    service.remove_user_from_group(&context, leave.clone()).await.expect("leaves");
    assert_eq!(
        refused(service.remove_user_from_group(&context, leave).await),
        ("NoSuchEntity", "User ann not in group builders".to_owned())
    );
    let delete = DeleteGroupRequest { group_name: "builders".into() };
    service.delete_group(&context, delete).await.expect("deletes");
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    for number in 0..11 {
        let name = format!("g{number}");
        let group = CreateGroupRequest { group_name: name.clone(), ..CreateGroupRequest::default() };
        service.create_group(&context, group).await.expect("creates");
        let join = AddUserToGroupRequest { group_name: name, user_name: "ann".into() };
        let joined = service.add_user_to_group(&context, join).await;
        if number < 10 {
            joined.expect("joins");
        } else {
            let text = "Cannot exceed quota for GroupsPerUser: 10".to_owned();
            assert_eq!(refused(joined), ("LimitExceeded", text));
        }
    }
}

#[tokio::test]
async fn lists_come_in_parts_and_by_path() {
    let (service, context) = fixture();
    for number in 0..5 {
        let input = CreateUserRequest {
            user_name: format!("u{number}"),
            path: Some(if number % 2 == 0 { "/even/" } else { "/odd/" }.into()),
            ..CreateUserRequest::default()
        };
        service.create_user(&context, input).await.expect("creates");
    }
    let mut names = Vec::new();
    let mut marker = None;
    loop {
        let list = ListUsersRequest { marker, max_items: Some(2), path_prefix: Some("/even/".into()) };
        let part = service.list_users(&context, list).await.expect("lists");
        names.extend(part.users.into_iter().map(|user| user.user_name));
        marker = part.marker;
        if part.is_truncated != Some(true) {
            break;
        }
    }
    assert_eq!(names, ["u0", "u2", "u4"]);
    let bad = ListUsersRequest { marker: Some("???".into()), ..ListUsersRequest::default() };
    assert_eq!(code(service.list_users(&context, bad).await), "ValidationError");
}

#[tokio::test]
async fn roles_show_their_trust_policy_encoded() {
    let (service, context) = fixture();
    role(&service, &context, "worker").await;
    let get = GetRoleRequest { role_name: "worker".into() };
    let role = service.get_role(&context, get).await.expect("is there").role;
    assert!(role.assume_role_policy_document.expect("a document").starts_with("%7B%22Version%22%3A"));
    assert_eq!(role.max_session_duration, Some(3600));
    assert!(role.role_id.starts_with("AROA"));
    assert!(role.role_last_used.expect("is shown").last_used_date.is_none());
    let bad = UpdateAssumeRolePolicyRequest { role_name: "worker".into(), policy_document: "no".into() };
    assert_eq!(code(service.update_assume_role_policy(&context, bad).await), "MalformedPolicyDocument");
}

#[tokio::test]
async fn update_role_resets_what_is_not_given() {
    let (service, context) = fixture();
    role(&service, &context, "worker").await;
    let update = UpdateRoleRequest {
        role_name: "worker".into(),
        description: Some("works".into()),
        max_session_duration: Some(7200),
    };
    service.update_role(&context, update).await.expect("updates");
    let update = UpdateRoleRequest { role_name: "worker".into(), ..UpdateRoleRequest::default() };
    service.update_role(&context, update).await.expect("updates");
    let get = GetRoleRequest { role_name: "worker".into() };
    let role = service.get_role(&context, get).await.expect("is there").role;
    assert_eq!((role.description, role.max_session_duration), (None, Some(3600)));
}

#[tokio::test]
async fn service_linked_roles_belong_to_their_service() {
    let (service, context) = fixture();
    let create = CreateServiceLinkedRoleRequest {
        aws_service_name: "ecs.amazonaws.com".into(),
        ..CreateServiceLinkedRoleRequest::default()
    };
    let role = service.create_service_linked_role(&context, create.clone()).await.expect("creates");
    let role = role.role.expect("is shown");
    assert_eq!(
        role.arn,
        "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
    );
    assert_eq!(code(service.create_service_linked_role(&context, create).await), "InvalidInput");
    let name = || "AWSServiceRoleForECS".to_owned();
    let delete = DeleteRoleRequest { role_name: name() };
    assert_eq!(code(service.delete_role(&context, delete).await), "UnmodifiableEntity");
    let put = PutRolePolicyRequest {
        role_name: name(),
        policy_name: "more".into(),
        policy_document: ALLOW_LIST.into(),
    };
    assert_eq!(code(service.put_role_policy(&context, put).await), "UnmodifiableEntity");
    let delete = DeleteServiceLinkedRoleRequest { role_name: name() };
    let task = service.delete_service_linked_role(&context, delete).await.expect("deletes").deletion_task_id;
    assert!(task.starts_with("task/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS/"));
    let status = GetServiceLinkedRoleDeletionStatusRequest { deletion_task_id: task };
    let status = service.get_service_linked_role_deletion_status(&context, status).await.expect("is known");
    assert_eq!(status.status, DeletionTaskStatusType::Succeeded);
    assert_eq!(code(service.get_role(&context, GetRoleRequest { role_name: name() }).await), "NoSuchEntity");
}

#[tokio::test]
async fn trust_policies_name_principals_that_exist() {
    let (service, context) = fixture();
    let trusting = |principal: &str| CreateRoleRequest {
        role_name: "worker".into(),
        assume_role_policy_document: TRUST_EC2
            .replace(r#""Service":"ec2.amazonaws.com""#, &format!(r#""AWS":"arn:aws:iam::{principal}""#)),
        ..CreateRoleRequest::default()
    };
    for principal in ["123456789012:user/ann", "123456789012:role/worker"] {
        assert_eq!(
            refused(service.create_role(&context, trusting(principal)).await),
            (
                "MalformedPolicyDocument",
                format!("Invalid principal in policy: \"AWS\":\"arn:aws:iam::{principal}\"")
            )
        );
    }
    user(&service, &context, "ann").await;
    for principal in ["123456789012:user/ann", "123456789012:root", "210987654321:role/other"] {
        service.create_role(&context, trusting(principal)).await.expect("creates");
        service
            .delete_role(&context, DeleteRoleRequest { role_name: "worker".into() })
            .await
            .expect("deletes");
    }
}

/// The trust policy of the role `worker` as GetRole shows it.
async fn trust_of_worker(service: &IamService, context: &RequestContext) -> String {
    let input = GetRoleRequest { role_name: "worker".into() };
    let shown = service.get_role(context, input).await.expect("reads").role;
    let document = shown.assume_role_policy_document.expect("has one");
    percent_encoding::percent_decode_str(&document).decode_utf8().expect("is text").into_owned()
}

#[tokio::test]
async fn trust_policies_keep_ids_and_show_names() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let named = TRUST_EC2
        .replace(r#""Service":"ec2.amazonaws.com""#, &format!(r#""AWS":"arn:aws:iam::{ACCOUNT}:user/ann""#));
    let input = CreateRoleRequest {
        role_name: "worker".into(),
        assume_role_policy_document: named.clone(),
        ..CreateRoleRequest::default()
    };
    service.create_role(&context, input).await.expect("creates");
    let ann = service.find::<resources::iam::User>(&context, "ann").await.expect("is there");
    let kept = service.find::<resources::iam::Role>(&context, "worker").await.expect("is there");
    assert!(kept.trust_policy.contains(&ann.id) && !kept.trust_policy.contains("user/ann"));
    assert_eq!(trust_of_worker(&service, &context).await, named);
    // Whoever is renamed is still meant.
    let rename =
        UpdateUserRequest { user_name: "ann".into(), new_user_name: Some("bea".into()), new_path: None };
    service.update_user(&context, rename).await.expect("renames");
    assert_eq!(trust_of_worker(&service, &context).await, named.replace("user/ann", "user/bea"));
    service.delete_user(&context, DeleteUserRequest { user_name: "bea".into() }).await.expect("deletes");
    for _ in 0..2 {
        let left = trust_of_worker(&service, &context).await;
        assert_eq!(left, named.replace(&format!("arn:aws:iam::{ACCOUNT}:user/ann"), &ann.id));
        let update = |document| UpdateAssumeRolePolicyRequest {
            role_name: "worker".into(),
            policy_document: document,
        };
        let again = refused(service.update_assume_role_policy(&context, update(left)).await);
        let said = format!("Invalid principal in policy: \"AWS\":\"{}\"", ann.id);
        assert_eq!(again, ("MalformedPolicyDocument", said));
        // Another of the same name changes nothing.
        let _ = service
            .create_user(&context, CreateUserRequest { user_name: "bea".into(), ..Default::default() })
            .await;
    }
}
