//! Counts evaluations per second on one core: `cargo run --release -p iam-policy --example evaluations`.
//!
//! The small set is what a deployer has: a policy with three statements, one of them with variables and conditions.
//! The large set is ten policies of ten statements, the statement that decides being the last.

use iam_policy::{Context, Effect, Policies, Policy, PolicyKind, Principal, Request, Source, evaluate};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const SMALL: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["ecs:RunTask", "ecs:StopTask"], "Resource": "arn:aws:ecs:*:*:task*/*",
     "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:111111111111:cluster/default"}}},
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111111111111:role/${aws:PrincipalTag/team}-*",
     "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
    {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}
]}"#;

const LAST: &str = r#"{"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}"#;

fn main() {
    let (principal, context) = (principal(), context());
    let small = [source("small", SMALL)];
    let large: Vec<Source> = (0..10).map(|at| source(&format!("p{at}"), &ten_statements(at))).collect();
    let run_task = ("ecs:RunTask", "arn:aws:ecs:us-east-1:111111111111:task-definition/web:3");
    let pass_role = ("iam:PassRole", "arn:aws:iam::111111111111:role/blue-web");
    let unknown = ("s3:GetObject", "arn:aws:s3:::bucket/key");
    for (name, identity, (action, resource), expected) in [
        ("small set, allowed", &small[..], run_task, Effect::Allow),
        ("small set, allowed by a variable", &small, pass_role, Effect::Allow),
        ("small set, denied", &small, unknown, Effect::ImplicitDeny),
        ("10 policies of 10 statements, allowed by the last", &large, run_task, Effect::Allow),
        ("10 policies of 10 statements, denied", &large, unknown, Effect::ImplicitDeny),
    ] {
        let request = Request { principal: &principal, action, resource, context: &context };
        let policies = Policies { identity, ..Policies::default() };
        assert_eq!(evaluate(&request, &policies).effect, expected, "{name}");
        println!("{:>12.0} evaluations/s  {name}", rate(&request, &policies));
    }
}

/// The best of many rounds, each shorter than a slice of the scheduler: what else runs on the machine only slows a
/// round down.
fn rate(request: &Request<'_>, policies: &Policies<'_>) -> f64 {
    const BATCH: u32 = 500;
    let round = || {
        let start = Instant::now();
        for _ in 0..BATCH {
            black_box(evaluate(black_box(request), black_box(policies)));
        }
        f64::from(BATCH) / start.elapsed().as_secs_f64()
    };
    (0..1_000).map(|_| round()).fold(0.0, f64::max)
}

fn ten_statements(policy: usize) -> String {
    let statement = |at: usize| {
        if policy == 9 && at == 9 {
            return LAST.to_owned();
        }
        format!(
            r#"{{"Effect": "Allow", "Action": ["ecs:Describe{at}*", "ecr:Get{at}*", "logs:Put*"],
                "Resource": "arn:aws:ecs:*:111111111111:service/team{policy}/*",
                "Condition": {{"StringEquals": {{"aws:ResourceTag/team": "team{policy}"}}}}}}"#
        )
    };
    let statements: Vec<String> = (0..10).map(statement).collect();
    format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","))
}

fn source(id: &str, text: &str) -> Source {
    let policy = Policy::parse(text, PolicyKind::Identity).expect("the example's policies are well-formed");
    Source { id: id.into(), policy: Arc::new(policy) }
}

fn principal() -> Principal {
    Principal::AssumedRole {
        account: "111111111111".parse().expect("twelve digits"),
        arn: "arn:aws:sts::111111111111:assumed-role/deployer/session".to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/deployer".to_owned(),
        role_id: "AROAAAAAAAAAAAAAAAAA".to_owned(),
    }
}

/// About as many keys as a request brings.
fn context() -> Context {
    let mut context = Context::new();
    principal().describe(&mut context);
    for (key, value) in [
        ("aws:CurrentTime", "2026-01-02T03:04:05Z"),
        ("aws:EpochTime", "1767323045"),
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SecureTransport", "true"),
        ("aws:RequestedRegion", "us-east-1"),
        ("aws:ViaAWSService", "false"),
        ("aws:PrincipalTag/team", "blue"),
        ("aws:UserAgent", "aws-cli/2"),
        ("aws:ResourceAccount", "111111111111"),
        ("ecs:cluster", "arn:aws:ecs:us-east-1:111111111111:cluster/default"),
        ("iam:PassedToService", "ecs-tasks.amazonaws.com"),
    ] {
        context.set(key, value);
    }
    context
}
