//! The service over a store in memory.

mod credentials;
mod deletion;
mod mfa;
mod policies;
mod principals;
mod providers;
mod quotas;
mod server_certificates;
mod simulation;
mod ssh_public_keys;

use crate::IamService;
use crate::shapes::{CreatePolicyRequest, CreateRoleRequest, CreateUserRequest, Iam};
use aws_wire::{RequestContext, ServiceError};
use encryption::KeyRing;
use environment::Environment;
use std::net::{IpAddr, Ipv4Addr};
use store::{MemoryStore, Tables};

const ACCOUNT: &str = "123456789012";
const ALLOW_LIST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}"#;
const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The service and a call of its account's root.
fn fixture() -> (IamService, RequestContext) {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let context = RequestContext {
        account: ACCOUNT.parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: format!("arn:aws:iam::{ACCOUNT}:root").into(),
        principal_id: ACCOUNT.into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "localhost:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    (IamService::new(tables, KeyRing::in_memory(environment)), context)
}

/// The same call made by a user.
fn by_user(context: &RequestContext, name: &str) -> RequestContext {
    RequestContext {
        principal_arn: format!("arn:aws:iam::{ACCOUNT}:user/{name}").into(),
        principal_id: "AIDAEXAMPLE".into(),
        ..context.clone()
    }
}

/// The code and message of what was refused.
fn refused<T>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.err().expect("an error");
    (error.shape.query_code.unwrap_or(error.shape.name), error.message.into_owned())
}

fn code<T>(result: Result<T, ServiceError>) -> &'static str {
    refused(result).0
}

async fn user(service: &IamService, context: &RequestContext, name: &str) {
    let input = CreateUserRequest { user_name: name.into(), ..CreateUserRequest::default() };
    service.create_user(context, input).await.expect("creates a user");
}

async fn role(service: &IamService, context: &RequestContext, name: &str) {
    let input = CreateRoleRequest {
        role_name: name.into(),
        assume_role_policy_document: TRUST_EC2.into(),
        ..CreateRoleRequest::default()
    };
    service.create_role(context, input).await.expect("creates a role");
}

/// Makes a managed policy and returns its ARN.
async fn policy(service: &IamService, context: &RequestContext, name: &str) -> String {
    let input = CreatePolicyRequest {
        policy_name: name.into(),
        policy_document: ALLOW_LIST.into(),
        ..CreatePolicyRequest::default()
    };
    let made = service.create_policy(context, input).await.expect("creates a policy");
    made.policy.and_then(|policy| policy.arn).expect("has an ARN")
}
