//! GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy.

use crate::IamService;
use crate::errors::Failure;
use crate::principal_policies::{Loaded, Subject};
use crate::shapes::{
    GetContextKeysForCustomPolicyRequest, GetContextKeysForPolicyResponse,
    GetContextKeysForPrincipalPolicyRequest, PolicySourceType,
};
use aws_wire::RequestContext;
use iam_policy::PolicyKind;

pub(crate) async fn get_context_keys_for_custom_policy(
    _service: &IamService,
    _context: &RequestContext,
    input: GetContextKeysForCustomPolicyRequest,
) -> Result<GetContextKeysForPolicyResponse, Failure> {
    Ok(keys(&parsed(&input.policy_input_list)?))
}

pub(crate) async fn get_context_keys_for_principal_policy(
    service: &IamService,
    context: &RequestContext,
    input: GetContextKeysForPrincipalPolicyRequest,
) -> Result<GetContextKeysForPolicyResponse, Failure> {
    let subject = Subject::find(service, context, &input.policy_source_arn).await?;
    let mut policies = subject.policies(service).await?;
    policies.extend(parsed(&input.policy_input_list.unwrap_or_default())?);
    Ok(keys(&policies))
}

fn parsed(documents: &[String]) -> Result<Vec<Loaded>, Failure> {
    let parse = |document: &String| {
        Loaded::parse("PolicyInputList", document, PolicySourceType::None, PolicyKind::Identity)
    };
    documents.iter().map(parse).collect()
}

fn keys(policies: &[Loaded]) -> GetContextKeysForPolicyResponse {
    let mut names: Vec<String> = Vec::new();
    for key in policies.iter().flat_map(|loaded| loaded.source.policy.context_keys()) {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(key)) {
            names.push(key.to_owned());
        }
    }
    GetContextKeysForPolicyResponse { context_key_names: Some(names) }
}
