//! Keys, sessions, tokens and decisions, over an empty store.

use crate::{
    Access, Asked, AssumeError, Caller, CallerKind, NoCredential, NotAllowed, RequestFacts, Session,
    SessionPolicies, Subject, TOKEN_LIFE, host, new_key,
};
use encryption::KeyRing;
use environment::{Environment, Simulation, Timestamp};
use identifiers::AccountId;
use resources::access::AccessKey;
use resources::iam::{ManagedPolicy, PolicyVersion, PrincipalPolicies, Role, User};
use std::sync::Arc;
use std::time::Duration;
use store::{MemoryStore, Tables};

mod decisions;
mod mfa;
mod principals;
mod sealed_keys;

const HOUR: Duration = Duration::from_secs(3600);

struct Region {
    tables: Tables,
    access: Access,
    clock: Arc<Simulation>,
}

fn account() -> AccountId {
    "123456789012".parse().expect("an account")
}

impl Region {
    fn new() -> Self {
        let (environment, clock) = Environment::simulated(Timestamp::from_seconds(1_700_000_000), 1);
        let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
        let access = Access::new(tables.clone(), KeyRing::in_memory(environment));
        Self { tables, access, clock }
    }

    /// A user with an inline policy, and a key of its.
    async fn user(&self, name: &str, policy: &str) -> (User, AccessKey) {
        let mut policies = PrincipalPolicies::default();
        if !policy.is_empty() {
            policies.inline.insert("inline".to_owned(), policy.to_owned());
        }
        let mut user = User {
            account: account(),
            name: name.to_owned(),
            path: "/".to_owned(),
            id: format!("AIDA{name}"),
            groups: vec![],
            policies,
            boundary: None,
            access_keys: vec![],
            mfa_devices: vec![],
            login_profile: None,
            tags: vec![("team".to_owned(), "blue".to_owned())],
            created_at: self.tables.environment().now(),
        };
        let new = new_key(self.tables.environment(), &self.access.keys, &Caller::user(&user));
        let key = AccessKey { user: Some(name.to_owned()), ..new.key };
        user.access_keys.push(key.access_key_id.clone());
        self.tables.create(user.clone()).await.expect("creates");
        self.tables.create(key.clone()).await.expect("creates");
        (user, key)
    }

    async fn role(&self, name: &str, trust: &str, policy: &str) -> Role {
        let mut policies = PrincipalPolicies::default();
        policies.inline.insert("inline".to_owned(), policy.to_owned());
        let role = Role {
            account: account(),
            name: name.to_owned(),
            path: "/".to_owned(),
            id: format!("AROA{name}"),
            description: None,
            trust_policy: trust.to_owned(),
            max_session_seconds: 3600,
            policies,
            boundary: None,
            instance_profiles: vec![],
            linked_service: None,
            tags: vec![],
            created_at: self.tables.environment().now(),
        };
        self.tables.create(role.clone()).await.expect("creates");
        role
    }

    async fn caller(&self, key: &AccessKey) -> Caller {
        self.access.credential(&key.access_key_id, None).await.expect("is good").caller
    }

    fn facts(&self) -> RequestFacts<'static> {
        RequestFacts {
            time: self.tables.environment().now(),
            source_ip: [203, 0, 113, 9].into(),
            region: "us-east-1",
            user_agent: Some("aws-cli/2"),
            secure_transport: false,
        }
    }

    /// The message of a denial; `None` when it is allowed.
    async fn denial(&self, caller: &Caller, action: &str, resource: &str) -> Option<String> {
        match self.access.authorize(caller, &[Asked::new(action, resource)], &self.facts()).await {
            Ok(()) => None,
            Err(NotAllowed::Denied(denied)) => Some(denied.message),
            Err(NotAllowed::Failed(error)) => panic!("{error}"),
        }
    }

    fn session_of(&self, role: &Role, facts: Session) -> crate::SessionCredentials {
        let subject = Subject::Role { name: role.name.clone(), id: role.id.clone(), session: "s".to_owned() };
        self.access.issue(Session { account: role.account.clone(), subject, ..facts }, HOUR)
    }
}

fn allow(action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#
    )
}

fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal}}}]}}"#
    )
}

fn plain() -> Session {
    Session::of(account(), Subject::Root { key: None })
}

async fn unknown(region: &Region, id: &str, token: Option<&str>) -> bool {
    matches!(region.access.credential(id, token).await, Err(NoCredential::Unknown))
}

#[tokio::test]
async fn keys_are_good_while_they_and_their_users_are_there() {
    let region = Region::new();
    let root = Caller::root(&account());
    let key = region.access.create_key(&root).await.expect("creates").key;
    assert_eq!(region.caller(&key).await.kind, CallerKind::Root);
    let (user, key) = region.user("ci", "").await;
    let caller = region.caller(&key).await;
    assert_eq!(&*caller.principal_arn, "arn:aws:iam::123456789012:user/ci");
    assert_eq!(caller.access_key_id.as_deref(), Some(key.access_key_id.as_str()));
    let id = key.access_key_id.as_str();
    assert!(unknown(&region, "AKIANOBODY", None).await);
    assert!(unknown(&region, "../x", None).await);
    assert!(unknown(&region, id, Some("a token")).await);

    let row = region.tables.get::<AccessKey>(id).await.expect("reads").expect("is there");
    let row =
        region.tables.replace(&row, AccessKey { active: false, ..key.clone() }).await.expect("replaces");
    assert!(unknown(&region, id, None).await, "inactive");
    region.tables.replace(&row, AccessKey { active: true, ..key.clone() }).await.expect("replaces");
    assert!(!unknown(&region, id, None).await);
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    region.tables.delete(&row).await.expect("deletes");
    assert!(unknown(&region, id, None).await, "the user is gone");
    region.tables.create(User { id: "AIDAother".into(), ..user }).await.expect("creates");
    assert!(unknown(&region, id, None).await, "another user of the same name");
}

#[tokio::test]
async fn sessions_end_with_their_time_their_role_or_their_token() {
    let region = Region::new();
    let role = region.role("deployer", &trust(r#"{"AWS":"*"}"#), &allow("ecs:*")).await;
    let made = region.session_of(&role, plain());
    let (id, token) = (made.access_key_id.as_str(), made.session_token.expose());
    let found = region.access.credential(id, Some(token)).await.expect("is good");
    assert_eq!(found.secret(), made.secret_access_key.expose());
    assert_eq!(&*found.caller.principal_arn, "arn:aws:sts::123456789012:assumed-role/deployer/s");
    assert_eq!(&*found.caller.principal_id, "AROAdeployer:s");
    let other = region.session_of(&role, plain());
    assert!(unknown(&region, id, None).await, "a temporary key without its token");
    assert!(unknown(&region, id, Some(other.session_token.expose())).await, "the token of another key");
    let mut tampered = token.to_owned();
    let middle = tampered.len() / 2;
    let replacement = if &tampered[middle..=middle] == "A" { "B" } else { "A" };
    tampered.replace_range(middle..=middle, replacement);
    assert!(unknown(&region, id, Some(&tampered)).await);
    assert!(unknown(&region, id, Some(&"x".repeat(100_000))).await);

    let row = region.tables.get::<Role>("123456789012/deployer").await.expect("reads").expect("is there");
    region.tables.delete(&row).await.expect("deletes");
    assert!(unknown(&region, id, Some(token)).await, "the role is gone");
    region.tables.create(Role { id: "AROAother".into(), ..role.clone() }).await.expect("creates");
    assert!(unknown(&region, id, Some(token)).await, "another role of the same name");

    let role = region.role("other", &trust(r#"{"AWS":"*"}"#), &allow("ecs:*")).await;
    let made = region.session_of(&role, plain());
    region.clock.advance(HOUR);
    let ended = region
        .access
        .credential(&made.access_key_id, Some(made.session_token.expose()))
        .await
        .expect_err("ends");
    assert!(matches!(ended, NoCredential::Expired));
}

#[tokio::test]
async fn registry_tokens_end_with_what_they_were_given_to() {
    let region = Region::new();
    let (_, key) = region.user("ci", "").await;
    let caller = region.caller(&key).await;
    let token = region.access.registry_token(&caller).expect("a token");
    let found = region.access.registry_caller(&token.password).await.expect("reads");
    assert_eq!(found.as_ref(), Some(&caller));
    assert_eq!(region.access.registry_caller(&format!("{}x", token.password)).await.expect("reads"), None);
    let row = region.tables.get::<AccessKey>(&key.access_key_id).await.expect("reads").expect("is there");
    region.tables.replace(&row, AccessKey { active: false, ..key.clone() }).await.expect("replaces");
    assert_eq!(region.access.registry_caller(&token.password).await.expect("reads"), None);

    let role = region.role("puller", &trust(r#"{"AWS":"*"}"#), &allow("ecr:*")).await;
    let made = region.session_of(&role, plain());
    let session = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let token = region.access.registry_token(&session.expect("is good").caller).expect("a token");
    assert_eq!(token.expires_at, made.expires_at, "no longer than the session");
    assert!(region.access.registry_caller(&token.password).await.expect("reads").is_some());
    // A session's token is sealed for another purpose and opens nothing here.
    assert_eq!(region.access.registry_caller(made.session_token.expose()).await.expect("reads"), None);
    region.clock.advance(HOUR);
    assert_eq!(region.access.registry_caller(&token.password).await.expect("reads"), None);

    let root = region.access.registry_token(&Caller::root(&account())).expect("a token");
    region.clock.advance(TOKEN_LIFE);
    assert_eq!(region.access.registry_caller(&root.password).await.expect("reads"), None);
}

#[tokio::test]
async fn a_session_of_a_user_ends_with_the_key_that_asked() {
    let region = Region::new();
    let (user, key) = region.user("ci", &allow("*")).await;
    let subject = Subject::User { name: "ci".into(), id: user.id, key: key.access_key_id.clone() };
    let made = region.access.issue(Session::of(account(), subject), HOUR);
    let credential = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let caller = credential.expect("is good").caller;
    assert_eq!(region.denial(&caller, "ecs:RunTask", "*").await, None);
    assert!(region.denial(&caller, "iam:CreateUser", "*").await.is_some(), "no IAM without a second factor");
    let row = region.tables.get::<AccessKey>(&key.access_key_id).await.expect("reads").expect("is there");
    region.tables.replace(&row, AccessKey { active: false, ..key }).await.expect("replaces");
    assert!(unknown(&region, &made.access_key_id, Some(made.session_token.expose())).await);
}

#[tokio::test]
async fn services_assume_roles_that_trust_them() {
    let region = Region::new();
    let condition = r#"{"Service":"ecs-tasks.amazonaws.com"},"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:ecs:us-east-1:123456789012:*"}}"#;
    let role = region.role("task", &trust(condition), &allow("logs:*")).await;
    let assume = |service: &'static str, source: &'static str| {
        let (access, arn) = (region.access.clone(), role.arn());
        async move { access.assume_for_service(&arn, service, "0123", HOUR, source).await }
    };
    let task = "arn:aws:ecs:us-east-1:123456789012:task/default/0123";
    let made = assume("ecs-tasks.amazonaws.com", task).await.expect("assumes");
    let credential = region.access.credential(&made.access_key_id, Some(made.session_token.expose())).await;
    let caller = credential.expect("is good").caller;
    assert_eq!(region.denial(&caller, "logs:PutLogEvents", "*").await, None);
    assert_eq!(
        region.denial(&caller, "ecs:RunTask", "*").await.as_deref(),
        Some(
            "User: arn:aws:sts::123456789012:assumed-role/task/0123 is not authorized to perform: ecs:RunTask on \
             resource: * because no identity-based policy allows the ecs:RunTask action"
        )
    );
    let foreign = "arn:aws:ecs:us-east-1:210987654321:task/default/0123";
    for (service, source) in [("ec2.amazonaws.com", task), ("ecs-tasks.amazonaws.com", foreign)] {
        assert!(
            matches!(assume(service, source).await, Err(AssumeError::NotTrusted { .. })),
            "{service} {source}"
        );
    }
    let missing = region
        .access
        .assume_for_service("arn:aws:iam::123456789012:role/none", "ecs-tasks.amazonaws.com", "s", HOUR, task)
        .await;
    assert!(matches!(missing, Err(AssumeError::NoRole(_))));
}
