//! What callers may do, and how it is said that they may not.

use super::*;

const RUN: (&str, &str) = ("ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1");

fn managed(name: &str, documents: &[&str], default_version: u32) -> ManagedPolicy {
    let versions = documents.iter().zip(1..).map(|(document, number)| PolicyVersion {
        number,
        document: (*document).to_owned(),
        created_at: Timestamp::default(),
    });
    ManagedPolicy {
        account: account(),
        name: name.to_owned(),
        path: "/".to_owned(),
        id: format!("ANPA{name}"),
        description: None,
        versions: versions.collect(),
        default_version,
        next_version: 9,
        tags: vec![],
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

#[tokio::test]
async fn denials_say_who_what_where_and_why() {
    let region = Region::new();
    let (user, key) = region.user("ci", &allow("ecr:*")).await;
    let caller = region.caller(&key).await;
    let begin = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecs:RunTask on resource: \
                 arn:aws:ecs:us-east-1:123456789012:task-definition/web:1 ";
    let said = region.denial(&caller, RUN.0, RUN.1).await.expect("is denied");
    assert_eq!(said, format!("{begin}because no identity-based policy allows the ecs:RunTask action"));

    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecs:*","Resource":"*"},
        {"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    let mut changed = user.clone();
    changed.policies.inline.insert("second".to_owned(), deny.to_owned());
    let row = region.tables.replace(&row, changed).await.expect("replaces");
    let said = region.denial(&caller, RUN.0, RUN.1).await.expect("is denied");
    assert_eq!(said, format!("{begin}with an explicit deny in an identity-based policy"));

    region.tables.create(managed("bound", &[&allow("logs:*")], 1)).await.expect("creates");
    let mut changed = user.clone();
    changed.policies.inline.insert("inline".to_owned(), allow("*"));
    changed.boundary = Some("arn:aws:iam::123456789012:policy/bound".to_owned());
    region.tables.replace(&row, changed).await.expect("replaces");
    let said = region.denial(&caller, RUN.0, RUN.1).await.expect("is denied");
    assert_eq!(said, format!("{begin}because no permissions boundary allows the ecs:RunTask action"));
    assert_eq!(region.denial(&caller, "logs:PutLogEvents", "*").await, None);
}

#[tokio::test]
async fn a_changed_policy_counts_from_the_next_call_on() {
    let region = Region::new();
    let (mut user, key) = region.user("ci", "").await;
    let arn = "arn:aws:iam::123456789012:policy/shared";
    region
        .tables
        .create(managed("shared", &[&allow("ecs:RunTask"), &allow("logs:*")], 1))
        .await
        .expect("creates");
    user.policies.attached.push(arn.to_owned());
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    let row = region.tables.replace(&row, user.clone()).await.expect("replaces");
    let caller = region.caller(&key).await;
    for round in 0..20u32 {
        let policy =
            region.tables.get::<ManagedPolicy>("123456789012/shared").await.expect("reads").expect("one");
        let default_version = 1 + round % 2;
        let changed = ManagedPolicy { default_version, ..(*policy.value).clone() };
        region.tables.replace(&policy, changed).await.expect("replaces");
        let allowed = region.denial(&caller, RUN.0, RUN.1).await.is_none();
        assert_eq!(allowed, default_version == 1, "in round {round}");
    }
    user.policies.attached = vec!["arn:aws:iam::aws:policy/AmazonECS_FullAccess".to_owned()];
    region.tables.replace(&row, user).await.expect("replaces");
    assert_eq!(region.denial(&caller, RUN.0, RUN.1).await, None, "a policy of AWS");
}

#[tokio::test]
async fn a_policy_that_is_gone_gives_nothing_and_a_boundary_that_is_gone_leaves_nothing() {
    let region = Region::new();
    let (mut user, key) = region.user("ci", &allow("*")).await;
    user.boundary = Some("arn:aws:iam::123456789012:policy/gone".to_owned());
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    region.tables.replace(&row, user).await.expect("replaces");
    let caller = region.caller(&key).await;
    assert!(region.denial(&caller, RUN.0, RUN.1).await.is_some());
}

#[tokio::test]
async fn sessions_may_what_both_the_role_and_their_policies_allow() {
    let region = Region::new();
    let role = region.role("deployer", &trust(r#"{"AWS":"*"}"#), &allow("ecs:*")).await;
    let policies = SessionPolicies { document: Some(allow("ecs:RunTask")), arns: vec![] };
    let made = region.session_of(&role, Session { policies: Some(policies), ..plain() });
    let credential = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let caller = credential.expect("is good").caller;
    assert_eq!(region.denial(&caller, RUN.0, RUN.1).await, None);
    let said = region.denial(&caller, "ecs:StopTask", "*").await.expect("is denied");
    assert!(said.ends_with("because no session policy allows the ecs:StopTask action"), "{said}");
    assert!(region.denial(&caller, "logs:PutLogEvents", "*").await.is_some());
}

#[tokio::test]
async fn conditions_see_the_caller_its_session_and_the_request() {
    let region = Region::new();
    let older = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2023-11-14T23:00:00Z"}}}]}"#;
    let role = region.role("revoked", &trust(r#"{"AWS":"*"}"#), older).await;
    let made = region.session_of(&role, plain());
    let old = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let old = old.expect("is good").caller;
    assert!(region.denial(&old, RUN.0, RUN.1).await.is_some(), "sessions from before are revoked");
    region.clock.advance(Duration::from_secs(3000));
    let made = region.session_of(&role, Session { tags: vec![("team".into(), "red".into())], ..plain() });
    let new = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    assert_eq!(region.denial(&new.expect("is good").caller, RUN.0, RUN.1).await, None);

    let conditions = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
        "StringEquals":{"aws:PrincipalTag/team":"blue","aws:username":"ci","aws:RequestedRegion":"us-east-1"},
        "IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"Bool":{"aws:SecureTransport":"false"},
        "StringLike":{"aws:UserAgent":"aws-cli/*"},"DateGreaterThan":{"aws:CurrentTime":"2023-11-14T00:00:00Z"}}}}"#;
    let (_, key) = region.user("ci", conditions).await;
    let caller = region.caller(&key).await;
    assert_eq!(region.denial(&caller, RUN.0, RUN.1).await, None);
    let elsewhere = RequestFacts { source_ip: [198, 51, 100, 1].into(), ..region.facts() };
    assert!(region.access.authorize(&caller, &[Asked::new(RUN.0, RUN.1)], &elsewhere).await.is_err());
}

#[tokio::test]
async fn the_root_owns_its_account_and_no_other_and_hosts_do_an_agents_work() {
    let region = Region::new();
    let root = Caller::root(&account());
    assert_eq!(region.denial(&root, RUN.0, RUN.1).await, None);
    let foreign = "arn:aws:ecs:us-east-1:210987654321:cluster/default";
    assert!(region.denial(&root, "ecs:DeleteCluster", foreign).await.is_some());
    assert_eq!(
        region.denial(&root, "sts:AssumeRole", "arn:aws:iam::123456789012:role/x").await.as_deref(),
        Some("Roles may not be assumed by root accounts.")
    );
    let reserved = "arn:aws:ecs:us-east-1:123456789012:cluster/longshore:fargate";
    let agent = host(&account());
    assert!(region.denial(&root, "ecs:RegisterContainerInstance", reserved).await.is_some());
    assert_eq!(region.denial(&agent, "ecs:RegisterContainerInstance", reserved).await, None);
    for action in [
        "ecs:RunTask",
        "iam:CreateUser",
        "sts:AssumeRole",
        "ecr:GetAuthorizationToken",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:PutImage",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "logs:FilterLogEvents",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameters",
    ] {
        assert!(region.denial(&agent, action, "*").await.is_some(), "{action}");
    }
    let stream = "arn:aws:logs:us-east-1:123456789012:log-group:/app:log-stream:t/web/";
    let of_task = format!("{stream}0123456789abcdef0123456789abcdef");
    assert_eq!(region.denial(&agent, "logs:GetLogEvents", &of_task).await, None);
    for other in [stream, "arn:aws:logs:us-east-1:123456789012:log-group:/app:log-stream:audit", "*"] {
        assert!(region.denial(&agent, "logs:GetLogEvents", other).await.is_some(), "{other}");
    }
    let (_, key) = region.user("admin", &allow("*")).await;
    let admin = region.caller(&key).await;
    assert!(region.denial(&admin, "ecs:RegisterContainerInstance", reserved).await.is_some());
    assert!(region.denial(&admin, "ecs:DeleteCluster", foreign).await.is_some(), "another account's");
    assert!(region.denial(&Caller::anonymous(), RUN.0, RUN.1).await.is_some());
}

#[tokio::test]
async fn every_permission_of_a_request_must_be_allowed() {
    let region = Region::new();
    let (_, key) = region.user("ci", &allow("ecs:*")).await;
    let caller = region.caller(&key).await;
    let role = "arn:aws:iam::123456789012:role/admin";
    let asked = [Asked::new(RUN.0, RUN.1), Asked::new("iam:PassRole", role)];
    let error = region.access.authorize(&caller, &asked, &region.facts()).await.expect_err("is denied");
    assert!(error.to_string().contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/admin"));
    let NotAllowed::Denied(denied) = error else { panic!("a denial") };
    let message = region.access.encode_denial(&denied);
    let decoded = region.access.decode_denial(&message).expect("decodes");
    assert!(decoded.contains("\"allowed\":false") && decoded.contains("iam:PassRole"), "{decoded}");
    assert_eq!(region.access.decode_denial("nonsense"), None);
}
