//! Quotas hold when many ask at once.

use super::*;
use crate::quotas;
use crate::shapes::*;
use resources::iam::{Group as GroupRow, PrincipalPolicies, Role as RoleRow, rows_of};
use std::sync::Arc;

/// How many ask at once.
const RACERS: usize = 24;

/// Runs a call many times at once; how many were answered, all others being over the quota.
async fn race<T, C, F>(call: C) -> usize
where
    T: Send + 'static,
    C: Fn(usize) -> F,
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
{
    let calls: Vec<_> = (0..RACERS).map(|number| tokio::spawn(call(number))).collect();
    let mut answered = 0;
    for one in calls {
        match one.await.expect("joins") {
            Ok(_) => answered += 1,
            Err(error) => assert_eq!(error.shape.query_code, Some("LimitExceeded")),
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_groups_are_made_as_there_is_room_for() {
    let (service, context) = fixture();
    for number in 3..quotas::GROUPS {
        let group = GroupRow {
            account: context.account.clone(),
            name: format!("group-{number}"),
            path: "/".into(),
            id: format!("AGPA{number}"),
            policies: PrincipalPolicies::default(),
            members: 0,
            created_at: context.time,
        };
        service.tables.create(group).await.expect("creates");
    }
    let service = Arc::new(service);
    let answered = race(|number| {
        let (service, context) = (service.clone(), context.clone());
        let input = CreateGroupRequest { group_name: format!("new-{number}"), path: None };
        async move { service.create_group(&context, input).await }
    });
    assert_eq!(answered.await, 3);
    let rows = service.tables.list_all::<GroupRow>(&rows_of(&context.account)).await.expect("lists");
    assert_eq!(rows.len(), quotas::GROUPS);
    // What is deleted makes room again.
    let gone = DeleteGroupRequest { group_name: "group-3".into() };
    service.delete_group(&context, gone).await.expect("deletes");
    let input = CreateGroupRequest { group_name: "last".into(), path: None };
    service.create_group(&context, input).await.expect("has room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_and_attachments_stay_within_their_quotas() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    role(&service, &context, "worker").await;
    let service = Arc::new(service);
    for user_name in [None, Some("ann".to_owned())] {
        let answered = race(|_| {
            let (service, context) = (service.clone(), context.clone());
            let input = CreateAccessKeyRequest { user_name: user_name.clone() };
            async move { service.create_access_key(&context, input).await }
        });
        assert_eq!(answered.await, quotas::ACCESS_KEYS_PER_USER, "{user_name:?}");
    }
    let mut arns = Vec::new();
    for number in 0..RACERS {
        arns.push(policy(&service, &context, &format!("policy-{number}")).await);
    }
    let answered = race(|number| {
        let (service, context) = (service.clone(), context.clone());
        let input = AttachRolePolicyRequest { role_name: "worker".into(), policy_arn: arns[number].clone() };
        async move { service.attach_role_policy(&context, input).await }
    });
    assert_eq!(answered.await, quotas::ATTACHED_POLICIES);
    let row = service.find::<RoleRow>(&context, "worker").await.expect("is there");
    assert_eq!(row.policies.attached.len(), quotas::ATTACHED_POLICIES);
    let answered = race(|_| {
        let (service, context) = (service.clone(), context.clone());
        let input = CreatePolicyVersionRequest {
            policy_arn: arns[0].clone(),
            policy_document: ALLOW_LIST.into(),
            set_as_default: None,
        };
        async move { service.create_policy_version(&context, input).await }
    });
    assert_eq!(answered.await, quotas::VERSIONS_PER_POLICY - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_taken_once() {
    let (service, context) = fixture();
    let service = Arc::new(service);
    let calls: Vec<_> = (0..RACERS)
        .map(|_| {
            let (service, context) = (service.clone(), context.clone());
            let input = CreateUserRequest { user_name: "ann".into(), ..CreateUserRequest::default() };
            tokio::spawn(async move { service.create_user(&context, input).await.is_ok() })
        })
        .collect();
    let mut made = 0;
    for one in calls {
        made += usize::from(one.await.expect("joins"));
    }
    assert_eq!(made, 1);
}
