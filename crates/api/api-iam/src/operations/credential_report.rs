//! GenerateCredentialReport and GetCredentialReport.

use crate::IamService;
use crate::entities::now;
use crate::errors::{Failure, other};
use crate::shapes::{
    GenerateCredentialReportResponse, GetCredentialReportResponse, ReportFormatType, ReportStateType, errors,
};
use aws_wire::RequestContext;
use environment::Timestamp;
use resources::access::{AccessKey, KeyUse};
use resources::iam::{CredentialReport, PasswordPolicy, SigningCertificate, User, rows_of};
use std::time::Duration;
use store::Versioned;

/// How long a report is good for.
const LIFE: Duration = Duration::from_secs(4 * 3600);
/// The columns.
const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// Writes the report at once. The first call says that it has been started, as AWS does, later ones that it is there.
pub(crate) async fn generate_credential_report(
    service: &IamService,
    context: &RequestContext,
    _input: (),
) -> Result<GenerateCredentialReportResponse, Failure> {
    let old = service.tables.get::<CredentialReport>(context.account.as_str()).await?;
    let fresh = old.is_some_and(|old| context.time.since(old.generated_at) < LIFE);
    let content = report(service, context).await?;
    let row = CredentialReport { account: context.account.clone(), content, generated_at: now(context) };
    service.tables.batch().put_any(&row).commit().await?;
    Ok(if fresh {
        GenerateCredentialReportResponse { description: None, state: Some(ReportStateType::Complete) }
    } else {
        GenerateCredentialReportResponse {
            description: Some("No report exists. Starting a new report generation task".to_owned()),
            state: Some(ReportStateType::Started),
        }
    })
}

pub(crate) async fn get_credential_report(
    service: &IamService,
    context: &RequestContext,
    _input: (),
) -> Result<GetCredentialReportResponse, Failure> {
    let row = service.tables.get::<CredentialReport>(context.account.as_str()).await?;
    let row = row.ok_or_else(|| {
        other(
            &errors::CREDENTIAL_REPORT_NOT_PRESENT_EXCEPTION,
            "No report exists. Call GenerateCredentialReport to generate one.",
        )
    })?;
    if context.time.since(row.generated_at) >= LIFE {
        return Err(other(
            &errors::CREDENTIAL_REPORT_EXPIRED_EXCEPTION,
            "The most recent credential report has expired. Call GenerateCredentialReport to generate a new one.",
        ));
    }
    Ok(GetCredentialReportResponse {
        content: Some(row.content.clone().into_bytes()),
        generated_time: Some(row.generated_at),
        report_format: Some(ReportFormatType::TextCsv),
    })
}

async fn report(service: &IamService, context: &RequestContext) -> Result<String, Failure> {
    let (_, settings) = service.settings(&context.account).await?;
    let mut lines = vec![HEADER.to_owned()];
    let root_keys = service.root_keys(context).await?;
    lines.push(root_line(service, context, &root_keys).await?);
    for user in service.tables.list_all::<User>(&rows_of(&context.account)).await? {
        lines.push(user_line(service, &user, settings.password_policy.as_ref()).await?);
    }
    Ok(lines.join("\n"))
}

/// The first key of the root is as old as the account, for all that is known of it.
async fn root_line(
    service: &IamService,
    context: &RequestContext,
    keys: &[Versioned<AccessKey>],
) -> Result<String, Failure> {
    let since = keys.iter().map(|key| key.created_at).min().map_or_else(absent, time);
    let mut fields = vec![
        "<root_account>".to_owned(),
        format!("arn:aws:iam::{}:root", context.account),
        since,
        "not_supported".to_owned(),
        "no_information".to_owned(),
        "not_supported".to_owned(),
        "not_supported".to_owned(),
        "false".to_owned(),
    ];
    fields.extend(key_fields(service, keys).await?);
    fields.extend(certificate_fields(&[]));
    Ok(fields.join(","))
}

async fn user_line(
    service: &IamService,
    user: &User,
    policy: Option<&PasswordPolicy>,
) -> Result<String, Failure> {
    let mut fields = vec![user.name.clone(), user.arn(), time(user.created_at)];
    match &user.login_profile {
        Some(profile) => {
            let rotation = policy.and_then(|policy| policy.max_age_days).filter(|days| *days > 0);
            let next =
                rotation.map(|days| profile.changed_at + Duration::from_secs(u64::from(days) * 86_400));
            fields.push("true".to_owned());
            fields.push("no_information".to_owned());
            fields.push(time(profile.changed_at));
            fields.push(next.map_or_else(absent, time));
        }
        None => fields.extend(["false".to_owned(), absent(), absent(), absent()]),
    }
    fields.push((!user.mfa_devices.is_empty()).to_string());
    let keys = service.tables.get_many::<AccessKey>(&user.access_keys).await?;
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    fields.extend(key_fields(service, &keys).await?);
    let certificates =
        service.tables.list_all::<SigningCertificate>(&SigningCertificate::rows_of(user)).await?;
    fields.extend(certificate_fields(&certificates));
    Ok(fields.join(","))
}

async fn key_fields(service: &IamService, keys: &[Versioned<AccessKey>]) -> Result<Vec<String>, Failure> {
    let mut fields = Vec::new();
    for place in 0..2 {
        let Some(key) = keys.get(place) else {
            fields.extend(["false".to_owned(), absent(), absent(), absent(), absent()]);
            continue;
        };
        fields.push(key.active.to_string());
        fields.push(time(key.created_at));
        match service.tables.get::<KeyUse>(&key.access_key_id).await? {
            Some(used) => fields.extend([time(used.used_at), used.region.clone(), used.service.clone()]),
            None => fields.extend([absent(), absent(), absent()]),
        }
    }
    Ok(fields)
}

fn certificate_fields(certificates: &[Versioned<SigningCertificate>]) -> Vec<String> {
    let mut in_order: Vec<_> = certificates.iter().collect();
    in_order.sort_by_key(|certificate| certificate.create_revision);
    let mut fields = Vec::new();
    for place in 0..2 {
        match in_order.get(place) {
            Some(certificate) => {
                fields.extend([certificate.active.to_string(), time(certificate.uploaded_at)]);
            }
            None => fields.extend(["false".to_owned(), absent()]),
        }
    }
    fields
}

fn absent() -> String {
    "N/A".to_owned()
}

/// Times are in whole seconds with the offset in digits.
fn time(time: Timestamp) -> String {
    time.to_rfc3339_seconds().replace('Z', "+00:00")
}
