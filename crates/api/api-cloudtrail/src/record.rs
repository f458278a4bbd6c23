//! An event as the JSON of a CloudTrail record.

use audit_log::{EventType, Identity, Session, StoredEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// Version of the record's format.
const VERSION: &str = "1.11";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    user_identity: UserIdentity<'a>,
    event_time: String,
    event_source: &'a str,
    event_name: &'a str,
    aws_region: &'a str,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    request_parameters: Option<&'a RawValue>,
    response_elements: Option<&'a RawValue>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource<'a>>,
    event_type: &'static str,
    management_event: bool,
    recipient_account_id: &'a str,
    #[serde(rename = "sharedEventID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_event_id: Option<String>,
    event_category: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    principal_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arn: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    account_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    access_key_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_context: Option<SessionContext<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    invoked_by: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionContext<'a> {
    session_issuer: SessionIssuer<'a>,
    attributes: Attributes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionIssuer<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    principal_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    arn: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    account_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    creation_date: String,
    mfa_authenticated: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    account_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "ARN")]
    arn: &'a str,
}

/// JSON text as it is; the text was written as JSON when the event was recorded.
fn raw(text: Option<&String>) -> Option<&RawValue> {
    serde_json::from_str(text?).ok()
}

/// The record of an event.
pub(crate) fn write(event: &StoredEvent) -> String {
    let error = event.error.as_ref();
    let record = Record {
        event_version: VERSION,
        user_identity: user_identity(&event.identity.get()),
        event_time: event.time.to_rfc3339_seconds(),
        event_source: &event.source,
        event_name: &event.name,
        aws_region: &event.region,
        source_ip_address: &event.source_address,
        user_agent: &event.user_agent,
        error_code: error.map(|(code, _)| code.as_str()),
        error_message: error.map(|(_, message)| message.as_str()),
        request_parameters: raw(event.request_parameters.as_ref()),
        response_elements: raw(event.response_elements.as_ref()),
        request_id: &event.request_id,
        event_id: &event.id,
        read_only: event.read_only,
        resources: resources(event),
        event_type: match event.event_type {
            EventType::ApiCall => "AwsApiCall",
            EventType::ServiceEvent => "AwsServiceEvent",
        },
        management_event: !event.data,
        recipient_account_id: &event.account,
        shared_event_id: shared_event_id(event),
        event_category: if event.data { "Data" } else { "Management" },
    };
    // Texts, numbers and JSON that was parsed can all be written.
    serde_json::to_string(&record).unwrap_or_default()
}

/// What the records of one call have in common that two accounts have: it follows from the request, which is the same.
fn shared_event_id(event: &StoredEvent) -> Option<String> {
    let assumed = event.name == "AssumeRole" && event.source == "sts.amazonaws.com" && event.error.is_none();
    let of_other = |arn: &str| arn.split(':').nth(4).is_some_and(|account| account != event.account);
    let mut roles =
        event.resources.iter().filter(|(kind, name)| kind == "AWS::IAM::Role" && name.starts_with("arn:"));
    let shared = event.identity.get().kind == "AWSAccount" || roles.any(|(_, arn)| of_other(arn));
    (assumed && shared).then(|| {
        let text = hex::encode(Sha256::digest(format!("shared-event:{}", event.request_id)));
        format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[12..15], &text[15..18], &text[18..30])
    })
}

fn user_identity<'a>(identity: &Identity<'a>) -> UserIdentity<'a> {
    UserIdentity {
        kind: identity.kind,
        principal_id: identity.principal_id,
        arn: identity.arn,
        account_id: identity.account,
        access_key_id: identity.access_key_id,
        user_name: identity.user_name,
        session_context: identity.session.as_ref().map(session_context),
        invoked_by: identity.invoked_by,
    }
}

fn session_context<'a>(session: &Session<'a>) -> SessionContext<'a> {
    SessionContext {
        session_issuer: SessionIssuer {
            kind: session.issuer_kind,
            principal_id: session.issuer_principal_id,
            arn: session.issuer_arn,
            account_id: session.issuer_account,
            user_name: session.issuer_name,
        },
        attributes: Attributes {
            creation_date: session.created_at.to_rfc3339_seconds(),
            mfa_authenticated: if session.mfa { "true" } else { "false" },
        },
    }
}

/// Those that the call names by ARN, as the record has no place for plain names.
fn resources(event: &StoredEvent) -> Vec<Resource<'_>> {
    let named = event.resources.iter().filter(|(_, name)| name.starts_with("arn:"));
    named
        .map(|(kind, arn)| Resource {
            account_id: arn.split(':').nth(4).filter(|account| !account.is_empty()).unwrap_or(&event.account),
            kind,
            arn,
        })
        .collect()
}
