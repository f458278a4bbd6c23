//! The simulator's inputs; what it decides is the engine's.

use super::*;
use crate::shapes::*;

#[tokio::test]
async fn each_action_is_answered_for_each_resource() {
    let (service, context) = fixture();
    let ask = SimulateCustomPolicyRequest {
        action_names: vec!["s3:ListBucket".into(), "s3:GetObject".into()],
        resource_arns: Some(vec!["arn:aws:s3:::a".into(), "arn:aws:s3:::b".into()]),
        policy_input_list: vec![ALLOW_LIST.into()],
        ..SimulateCustomPolicyRequest::default()
    };
    let results = service.simulate_custom_policy(&context, ask).await.expect("simulates");
    let results = results.evaluation_results.expect("a list");
    let pairs: Vec<_> = results
        .iter()
        .map(|one| (one.eval_action_name.as_str(), one.eval_resource_name.as_deref()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("s3:ListBucket", Some("arn:aws:s3:::a")),
            ("s3:ListBucket", Some("arn:aws:s3:::b")),
            ("s3:GetObject", Some("arn:aws:s3:::a")),
            ("s3:GetObject", Some("arn:aws:s3:::b")),
        ]
    );
}

#[tokio::test]
async fn wrong_inputs_are_refused() {
    let (service, context) = fixture();
    let ask = |policy: &str, action: &str| SimulateCustomPolicyRequest {
        action_names: vec![action.to_owned()],
        policy_input_list: vec![policy.to_owned()],
        ..SimulateCustomPolicyRequest::default()
    };
    assert_eq!(
        code(service.simulate_custom_policy(&context, ask("{", "s3:ListBucket")).await),
        "InvalidInput"
    );
    assert_eq!(code(service.simulate_custom_policy(&context, ask(ALLOW_LIST, "list")).await), "InvalidInput");
    let with_resource_policy = SimulateCustomPolicyRequest {
        resource_policy: Some(ALLOW_LIST.into()),
        ..ask(ALLOW_LIST, "s3:ListBucket")
    };
    assert_eq!(
        refused(service.simulate_custom_policy(&context, with_resource_policy).await).1,
        "CallerArn is required when ResourcePolicy is given."
    );
    let root = SimulatePrincipalPolicyRequest {
        action_names: vec!["s3:ListBucket".into()],
        policy_source_arn: format!("arn:aws:iam::{ACCOUNT}:root"),
        ..SimulatePrincipalPolicyRequest::default()
    };
    assert_eq!(code(service.simulate_principal_policy(&context, root).await), "InvalidInput");
}
