//! What any text must hold to: a document, and behind a line of three dashes a request, must neither panic nor take
//! long, and a decision must agree with the statements that match.

use iam_policy::{
    Context, Effect, Policies, Policy, PolicyKind, Principal, Request, Source, evaluate, matching_statements,
};
use std::sync::Arc;

/// Reads `input` as every kind of policy and decides its request.
pub fn check(input: &str) {
    let (document, request) = input.split_once("\n---\n").unwrap_or((input, ""));
    for kind in [PolicyKind::Identity, PolicyKind::Managed, PolicyKind::Resource, PolicyKind::Trust] {
        let Ok(policy) = Policy::parse(document, kind) else { continue };
        policy.context_keys();
        policy.named_principals();
        decide(Arc::new(policy), kind, request);
    }
}

fn decide(policy: Arc<Policy>, kind: PolicyKind, request: &str) {
    let mut lines = request.lines();
    let action = lines.next().unwrap_or("ecs:RunTask");
    let resource = lines.next().unwrap_or("*");
    let principal = principal();
    let mut context = Context::new();
    principal.describe(&mut context);
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        context.add(key, value);
    }
    let source = [Source { id: "p".into(), policy }];
    let request = Request { principal: &principal, action, resource, context: &context };
    let policies = match kind {
        PolicyKind::Identity | PolicyKind::Managed => Policies { identity: &source, ..Policies::default() },
        PolicyKind::Resource | PolicyKind::Trust => {
            Policies { resource: Some(&source[0]), ..Policies::default() }
        }
    };
    let decision = evaluate(&request, &policies);
    let matching = matching_statements(&request, &policies);
    match decision.decided_by {
        Some(statement) => assert!(matching.contains(&statement)),
        None => assert_eq!(decision.effect, Effect::ImplicitDeny),
    }
}

fn principal() -> Principal {
    Principal::AssumedRole {
        account: "111111111111".parse().expect("twelve digits"),
        arn: "arn:aws:sts::111111111111:assumed-role/r/s".to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
        role_id: "AROAAAAAAAAAAAAAAAAA".to_owned(),
    }
}
