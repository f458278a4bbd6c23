//! What authenticating and authorizing cost, beside the signature.

use super::*;
use std::time::Instant;

/// `cargo test --release -p access -- --ignored --nocapture` prints the median for ten policies of ten statements.
#[tokio::test]
#[ignore = "a measurement, to be run in release"]
#[allow(clippy::disallowed_methods, reason = "it measures real time")]
async fn ten_policies_of_ten_statements() {
    let region = Region::new();
    let (mut user, key) = region.user("ci", "").await;
    for policy in 0..10 {
        let statements: Vec<String> = (0..10)
            .map(|statement| {
                format!(
                    r#"{{"Effect":"Allow","Action":["s3:Get*","ecs:Run{policy}{statement}*"],"Resource":"arn:aws:ecs:*:*:task-definition/app-{policy}-{statement}:*","Condition":{{"StringEquals":{{"aws:PrincipalTag/team":"blue"}}}}}}"#
                )
            })
            .chain((policy == 9).then(|| r#"{"Effect":"Allow","Action":"ecs:RunTask","Resource":"*"}"#.to_owned()))
            .collect();
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
        user.policies.inline.insert(format!("p{policy}"), document);
    }
    let row = region.tables.get::<User>("123456789012/ci").await.expect("reads").expect("is there");
    region.tables.replace(&row, user).await.expect("replaces");
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let begun = Instant::now();
        let caller = region.access.credential(&key.access_key_id, None).await.expect("is good").caller;
        let asked = [Asked::new("ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1")];
        region.access.authorize(&caller, &asked, &region.facts()).await.expect("is allowed");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("median {:?}, 99th percentile {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}
