//! The interplay of all kinds of policies, as tables, and what must hold for any policies at all.

use super::*;
use proptest::prelude::*;

const HOME: &str = "111111111111";
const OTHER: &str = "222222222222";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:q";

fn account(text: &str) -> AccountId {
    text.parse().expect("an account")
}

fn source(text: &str, kind: PolicyKind) -> Source {
    Source { id: "p".into(), policy: Arc::new(Policy::parse(text, kind).expect("a policy")) }
}

fn identity(effect: &str, action: &str) -> Source {
    let text = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "{effect}", "Action": "{action}", "Resource": "*"}}}}"#
    );
    source(&text, PolicyKind::Identity)
}

fn resource(effect: &str, element: &str, principal: &str) -> Source {
    let text =
        format!(r#"{{"Statement": {{"Effect": "{effect}", "{element}": {principal}, "Action": "sqs:*"}}}}"#);
    source(&text, PolicyKind::Resource)
}

fn user() -> Principal {
    Principal::User {
        account: account(HOME),
        arn: "arn:aws:iam::111111111111:user/ann".to_owned(),
        unique_id: "AIDAAAAAAAAAAAAAAAAA".to_owned(),
    }
}

fn role_session() -> Principal {
    Principal::AssumedRole {
        account: account(HOME),
        arn: "arn:aws:sts::111111111111:assumed-role/r/s".to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
        role_id: "AROAAAAAAAAAAAAAAAAA".to_owned(),
    }
}

fn federated_user() -> Principal {
    Principal::FederatedUser {
        account: account(HOME),
        arn: "arn:aws:sts::111111111111:federated-user/f".to_owned(),
        user_arn: "arn:aws:iam::111111111111:user/ann".to_owned(),
        user_id: Some("AIDAAAAAAAAAAAAAAAAA".to_owned()),
    }
}

fn decide(principal: &Principal, policies: &Policies<'_>) -> Decision {
    let context = Context::new();
    evaluate(&Request { principal, action: "SQS:SendMessage", resource: QUEUE, context: &context }, policies)
}

/// What a request comes to: `ok`, or the kind of policy that lacks an allow.
fn outcome(decision: &Decision) -> String {
    match (decision.effect, decision.policy_type) {
        (Effect::Allow, _) => "ok".to_owned(),
        (Effect::ExplicitDeny, by) => format!("deny {by:?}"),
        (Effect::ImplicitDeny, by) => format!("{by:?}"),
    }
}

/// AWS documents this table as "Resource-based policies and implicit denies in other policy types (same account)".
#[test]
fn how_directly_a_resource_names_the_caller() {
    let all = [identity("Allow", "*")];
    let nothing = [identity("Allow", "s3:Get*")];
    let (user, session, federated) = (user(), role_session(), federated_user());
    let role = r#"{"AWS": "arn:aws:iam::111111111111:role/r"}"#;
    let named_session = r#"{"AWS": "arn:aws:sts::111111111111:assumed-role/r/s"}"#;
    let named_user = r#"{"AWS": "arn:aws:iam::111111111111:user/ann"}"#;
    let (boundary, limit) = (Some("Some(Boundary)"), Some("Some(Session)"));
    // Caller, whom the resource names; the outcome when identity policies, boundary, session policies lack an allow.
    for (caller, principal, without_identity, without_boundary, without_session) in [
        (&user, named_user, None, None, None),
        (&user, r#"{"AWS": "AIDAAAAAAAAAAAAAAAAA"}"#, None, None, None),
        (&user, r#""*""#, None, None, None),
        (&user, r#"{"AWS": "111111111111"}"#, Some("Some(Identity)"), boundary, limit),
        (&session, named_session, None, None, None),
        (&session, r#""*""#, None, None, None),
        (&session, role, None, boundary, limit),
        (&session, r#"{"AWS": "AROAAAAAAAAAAAAAAAAA"}"#, None, boundary, limit),
        (&session, r#"{"AWS": "arn:aws:iam::111111111111:root"}"#, Some("Some(Identity)"), boundary, limit),
        (&federated, r#"{"AWS": "arn:aws:sts::111111111111:federated-user/f"}"#, None, None, None),
        (&federated, named_user, None, boundary, limit),
    ] {
        let named = resource("Allow", "Principal", principal);
        let with = |identity, boundary, session| {
            let policies =
                Policies { identity, boundary, session, resource: Some(&named), resource_account: None };
            outcome(&decide(caller, &policies))
        };
        let expected = |lacking: Option<&str>| lacking.unwrap_or("ok").to_owned();
        assert_eq!(with(&all, Some(&all[0]), Some(&all[..])), "ok", "{principal}");
        assert_eq!(with(&nothing, Some(&all[0]), Some(&all[..])), expected(without_identity), "{principal}");
        assert_eq!(with(&all, Some(&nothing[0]), Some(&all[..])), expected(without_boundary), "{principal}");
        assert_eq!(with(&all, Some(&all[0]), Some(&nothing[..])), expected(without_session), "{principal}");
    }
}

#[test]
fn without_a_resource_policy_the_callers_side_decides() {
    let (all, nothing) = ([identity("Allow", "*")], [identity("Allow", "s3:*")]);
    for (identity, boundary, session, expected) in [
        (&all[..], None, None, "ok"),
        (&[], None, None, "Some(Identity)"),
        (&nothing, None, None, "Some(Identity)"),
        (&all, Some(&nothing[0]), None, "Some(Boundary)"),
        (&all, Some(&all[0]), Some(&nothing[..]), "Some(Session)"),
        (&all, Some(&all[0]), Some(&[][..]), "Some(Session)"),
        (&nothing, Some(&all[0]), Some(&all[..]), "Some(Identity)"),
    ] {
        let policies = Policies { identity, boundary, session, ..Policies::default() };
        assert_eq!(outcome(&decide(&role_session(), &policies)), expected);
    }
}

#[test]
fn between_accounts_both_sides_must_allow() {
    let (all, nothing) = ([identity("Allow", "sqs:*")], [identity("Allow", "s3:*")]);
    let owner = account(OTHER);
    let by_account = resource("Allow", "Principal", r#"{"AWS": "111111111111"}"#);
    let by_user = resource("Allow", "Principal", r#"{"AWS": "arn:aws:iam::111111111111:user/ann"}"#);
    let by_other = resource("Allow", "Principal", r#"{"AWS": "222222222222"}"#);
    for (identity, resource, expected) in [
        (&all[..], Some(&by_account), "ok"),
        (&all, Some(&by_user), "ok"),
        (&all, Some(&by_other), "Some(Resource)"),
        (&all, None, "Some(Resource)"),
        (&nothing, Some(&by_user), "Some(Identity)"),
        (&nothing, None, "Some(Identity)"),
    ] {
        let policies = Policies { identity, resource, resource_account: Some(&owner), ..Policies::default() };
        assert_eq!(outcome(&decide(&user(), &policies)), expected);
    }
}

#[test]
fn root_needs_no_policy_at_home() {
    let root = Principal::Root { account: account(HOME), arn: "arn:aws:iam::111111111111:root".to_owned() };
    let (home, owner) = (account(HOME), account(OTHER));
    let deny = resource("Deny", "Principal", r#""*""#);
    let by_account = resource("Allow", "Principal", r#"{"AWS": "arn:aws:iam::111111111111:root"}"#);
    for (resource, resource_account, expected) in [
        (None, None, "ok"),
        (None, Some(&home), "ok"),
        (Some(&deny), None, "deny Some(Resource)"),
        (None, Some(&owner), "Some(Resource)"),
        (Some(&by_account), Some(&owner), "ok"),
    ] {
        let policies = Policies { resource, resource_account, ..Policies::default() };
        assert_eq!(outcome(&decide(&root, &policies)), expected);
    }
    assert_eq!(decide(&root, &Policies::default()), Decision::root());
}

#[test]
fn callers_without_an_account_depend_on_the_resource() {
    let service = Principal::Service { name: "ecs.amazonaws.com".to_owned() };
    let google = Principal::Federated { provider: "accounts.google.com".to_owned() };
    let both = r#"{"Service": "ecs.amazonaws.com", "Federated": "accounts.google.com"}"#;
    let all = [identity("Allow", "*")];
    for (caller, principal, expected) in [
        (&service, both, "ok"),
        (&service, r#""*""#, "ok"),
        (&service, r#"{"Service": "ec2.amazonaws.com"}"#, "Some(Resource)"),
        (&google, both, "ok"),
        (&google, r#""*""#, "Some(Resource)"),
        (&google, r#"{"AWS": "*"}"#, "Some(Resource)"),
        (&Principal::Anonymous, r#""*""#, "ok"),
        (&Principal::Anonymous, r#"{"AWS": "*"}"#, "ok"),
        (&Principal::Anonymous, both, "Some(Resource)"),
        (&Principal::Anonymous, r#"{"AWS": "111111111111"}"#, "Some(Resource)"),
    ] {
        let named = resource("Allow", "Principal", principal);
        let policies = Policies { identity: &all, resource: Some(&named), ..Policies::default() };
        assert_eq!(outcome(&decide(caller, &policies)), expected, "{caller:?} {principal}");
    }
}

#[test]
fn exceptions_name_account_and_caller() {
    let all = [identity("Allow", "*")];
    for (caller, principals, with_boundary, denied) in [
        (user(), r#"["111111111111", "arn:aws:iam::111111111111:user/ann"]"#, false, false),
        (user(), r#"["111111111111", "arn:aws:iam::111111111111:user/ann"]"#, true, true),
        (user(), r#""arn:aws:iam::111111111111:user/ann""#, false, true),
        (user(), r#""111111111111""#, false, true),
        (user(), r#""*""#, false, false),
        (role_session(), r#"["111111111111", "arn:aws:iam::111111111111:role/r"]"#, false, false),
        (role_session(), r#"["111111111111", "arn:aws:sts::111111111111:assumed-role/r/s"]"#, false, false),
        (role_session(), r#"["111111111111", "arn:aws:sts::111111111111:assumed-role/r/t"]"#, false, true),
    ] {
        let policy = resource("Deny", "NotPrincipal", &format!(r#"{{"AWS": {principals}}}"#));
        let boundary = with_boundary.then_some(&all[0]);
        let policies = Policies { identity: &all, boundary, resource: Some(&policy), ..Policies::default() };
        let found = decide(&caller, &policies).effect == Effect::ExplicitDeny;
        assert_eq!(found, denied, "{caller:?} {principals}");
    }
    let allow = resource("Allow", "NotPrincipal", r#"{"AWS": "111111111111"}"#);
    let policies = Policies { resource: Some(&allow), ..Policies::default() };
    assert!(!decide(&user(), &policies).is_allowed());
    assert!(decide(&Principal::Anonymous, &policies).is_allowed());
}

#[test]
fn the_trust_policy_must_allow() {
    let trust = |principal: &str| {
        let text = format!(
            r#"{{"Statement": {{"Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole"}}}}"#
        );
        source(&text, PolicyKind::Trust)
    };
    let (all, nothing) = ([identity("Allow", "*")], [identity("Allow", "s3:*")]);
    let (home, owner) = (account(HOME), account(OTHER));
    let context = Context::new();
    for (identity, principal, owner, expected) in [
        (&all, r#"{"AWS": "111111111111"}"#, &home, "ok"),
        (&all, r#"{"Service": "ec2.amazonaws.com"}"#, &home, "Some(Trust)"),
        (&nothing, r#"{"AWS": "111111111111"}"#, &home, "Some(Identity)"),
        (&nothing, r#"{"AWS": "arn:aws:iam::111111111111:user/ann"}"#, &home, "ok"),
        (&nothing, r#"{"AWS": "arn:aws:iam::111111111111:user/ann"}"#, &owner, "Some(Identity)"),
        (&all, r#"{"AWS": "111111111111"}"#, &owner, "ok"),
        (&all, r#"{"AWS": "222222222222"}"#, &owner, "Some(Trust)"),
    ] {
        let policy = trust(principal);
        let policies = Policies {
            identity,
            resource: Some(&policy),
            resource_account: Some(owner),
            ..Policies::default()
        };
        let request = Request {
            principal: &user(),
            action: "sts:AssumeRole",
            resource: "arn:aws:iam::111111111111:role/r",
            context: &context,
        };
        assert_eq!(outcome(&evaluate(&request, &policies)), expected, "{principal}");
    }
}

#[test]
fn an_allow_does_not_step_over_an_unknown_exception() {
    let text = |effect: &str| {
        let resource = "arn:aws:sqs:*:*:${aws:PrincipalTag/queue}";
        format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "{effect}", "Action": "*", "NotResource": "{resource}"}}}}"#
        )
    };
    let (allow, all) = (source(&text("Allow"), PolicyKind::Identity), identity("Allow", "*"));
    let deny = source(&text("Deny"), PolicyKind::Identity);
    let mut context = Context::new();
    let user = user();
    for (tag, effect_of_allow, effect_of_deny) in [
        (None, Effect::ImplicitDeny, Effect::ExplicitDeny),
        (Some("q"), Effect::ImplicitDeny, Effect::Allow),
        (Some("other"), Effect::Allow, Effect::ExplicitDeny),
    ] {
        if let Some(tag) = tag {
            context.set("aws:PrincipalTag/queue", tag);
        }
        let request =
            Request { principal: &user, action: "sqs:SendMessage", resource: QUEUE, context: &context };
        let effect =
            |identity: &[Source]| evaluate(&request, &Policies { identity, ..Policies::default() }).effect;
        assert_eq!(effect(std::slice::from_ref(&allow)), effect_of_allow, "{tag:?}");
        assert_eq!(effect(&[all.clone(), deny.clone()]), effect_of_deny, "{tag:?}");
    }
}

/// A statement of a small language in which everything meets everything.
fn statement(effects: &'static str) -> impl Strategy<Value = String> {
    let action =
        prop_oneof![Just("*"), Just("sqs:*"), Just("sqs:Send*"), Just("s3:Get"), Just("SQS:sendmessage")];
    let resource =
        prop_oneof![Just("*"), Just("arn:aws:sqs:*:*:q"), Just("arn:aws:sqs:*:*:x"), Just("arn:aws:s3:::*")];
    let condition = prop_oneof![
        Just(""),
        Just(r#", "Condition": {"StringEquals": {"a:b": "c"}}"#),
        Just(r#", "Condition": {"StringNotEquals": {"a:b": "c"}}"#),
        Just(r#", "Condition": {"Null": {"a:b": "true"}}"#),
    ];
    let elements = prop_oneof![
        Just(("Action", "Resource")),
        Just(("NotAction", "Resource")),
        Just(("Action", "NotResource"))
    ];
    (effects, action, resource, condition, elements).prop_map(
        |(effect, action, resource, condition, (does, on))| {
            format!(r#"{{"Effect": "{effect}", "{does}": "{action}", "{on}": "{resource}"{condition}}}"#)
        },
    )
}

fn policies(effects: &'static str) -> impl Strategy<Value = Vec<Vec<String>>> {
    proptest::collection::vec(proptest::collection::vec(statement(effects), 1..4), 0..4)
}

fn compiled(policies: &[Vec<String>]) -> Vec<Source> {
    let text = |statements: &Vec<String>| {
        format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","))
    };
    policies.iter().map(|statements| source(&text(statements), PolicyKind::Identity)).collect()
}

fn context(value: Option<&str>) -> Context {
    let mut context = Context::new();
    if let Some(value) = value {
        context.set("a:b", value);
    }
    context
}

proptest! {
    #[test]
    fn a_deny_wins_over_everything(
        allows in policies("Allow|Deny"),
        value in proptest::option::of("c|d"),
        place in 0..4_usize,
    ) {
        let sources = compiled(&allows);
        let everything = identity("Allow", "*");
        let deny = identity("Deny", "sqs:SendMessage");
        let grant = resource("Allow", "Principal", r#""*""#);
        let deny_at_resource = resource("Deny", "Principal", r#""*""#);
        let denies = [deny.clone()];
        let with_deny: Vec<Source> = sources.iter().cloned().chain([everything.clone(), deny.clone()]).collect();
        let policies = Policies {
            identity: if place == 0 { &with_deny } else { &sources },
            boundary: Some(if place == 1 { &deny } else { &everything }),
            session: Some(if place == 2 { &denies } else { std::slice::from_ref(&everything) }),
            resource: Some(if place == 3 { &deny_at_resource } else { &grant }),
            resource_account: None,
        };
        let context = context(value.as_deref());
        let request = Request { principal: &user(), action: "sqs:SendMessage", resource: QUEUE, context: &context };
        prop_assert_eq!(evaluate(&request, &policies).effect, Effect::ExplicitDeny);
    }

    #[test]
    fn a_further_allow_takes_nothing_away(
        before in policies("Allow|Deny"),
        further in policies("Allow"),
        value in proptest::option::of("c|d"),
        boundary in proptest::option::of(statement("Allow")),
    ) {
        let few = compiled(&before);
        let many: Vec<Source> = few.iter().cloned().chain(compiled(&further)).collect();
        let boundary = boundary.map(|statement| compiled(&[vec![statement]]).remove(0));
        let context = context(value.as_deref());
        let request = Request { principal: &user(), action: "sqs:SendMessage", resource: QUEUE, context: &context };
        let effect = |identity| {
            evaluate(&request, &Policies { identity, boundary: boundary.as_ref(), ..Policies::default() }).effect
        };
        let (effect_of_few, effect_of_many) = (effect(&few), effect(&many));
        prop_assert!(effect_of_few == effect_of_many || effect_of_few == Effect::ImplicitDeny);
        prop_assert!(effect_of_few == Effect::ExplicitDeny || effect_of_many != Effect::ExplicitDeny);
    }

    #[test]
    fn limits_only_take_away(
        granted in policies("Allow|Deny"),
        limit in policies("Allow|Deny"),
        value in proptest::option::of("c|d"),
    ) {
        let (identity, session) = (compiled(&granted), compiled(&limit));
        let context = context(value.as_deref());
        let request = Request { principal: &role_session(), action: "sqs:SendMessage", resource: QUEUE, context: &context };
        let free = evaluate(&request, &Policies { identity: &identity, ..Policies::default() });
        let limited =
            evaluate(&request, &Policies { identity: &identity, session: Some(&session), ..Policies::default() });
        prop_assert!(free.is_allowed() || !limited.is_allowed());
    }

    #[test]
    fn the_statement_that_decides_is_among_those_that_match(
        granted in policies("Allow|Deny"),
        value in proptest::option::of("c|d"),
    ) {
        let identity = compiled(&granted);
        let policies = Policies { identity: &identity, ..Policies::default() };
        let context = context(value.as_deref());
        let request = Request { principal: &user(), action: "sqs:SendMessage", resource: QUEUE, context: &context };
        let matching = matching_statements(&request, &policies);
        let decision = evaluate(&request, &policies);
        match decision.decided_by {
            Some(statement) => prop_assert!(matching.contains(&statement)),
            None => prop_assert!(matching.is_empty()),
        }
    }
}
