//! AssumeRoleWithWebIdentity: temporary credentials of a role for whom an OpenID Connect provider knows.

use crate::StsService;
use crate::errors::{access, bad_token, denied, invalid, store};
use crate::operations::assume_role::{DEFAULT_SECONDS, TOO_LONG, assumed_role_user, subject};
use crate::session::{duration, packed_size, session_policies, session_tags, show};
use crate::shapes::{AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse, Tag};
use crate::web_identity::{Claims, issuer, verify};
use access::{AssumeError, RequestFacts, Session};
use aws_wire::{RequestContext, ServiceError};
use identifiers::{AccountId, Arn};
use resources::iam::{OidcProvider, Role};
use std::borrow::Cow;
use store::Versioned;

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

pub(crate) async fn run(
    service: &StsService,
    context: &RequestContext,
    input: AssumeRoleWithWebIdentityRequest,
) -> Result<AssumeRoleWithWebIdentityResponse, ServiceError> {
    let AssumeRoleWithWebIdentityRequest {
        duration_seconds,
        policy,
        policy_arns,
        provider_id,
        role_arn,
        role_session_name,
        web_identity_token,
    } = input;
    if provider_id.is_some() {
        return Err(invalid(
            "ProviderId is for OAuth 2.0 access tokens; this region takes OpenID Connect tokens.",
        ));
    }
    let arn: Arn = role_arn.parse().map_err(|_| invalid(format!("{role_arn} is invalid")))?;
    let account: AccountId = arn.account.parse().map_err(|_| invalid(format!("{role_arn} is invalid")))?;
    let provider = provider(service, &account, &issuer(&web_identity_token)?).await?;
    let claims = verify(&service.keys, &provider, &web_identity_token, context.time).await?;
    let not_authorized = || denied(format!("Not authorized to perform {ACTION}"));
    let role = service.access.find_role(&role_arn).await.map_err(store)?.ok_or_else(not_authorized)?;
    trust(service, context, &role, &provider, &claims, &role_session_name).await?;

    let duration = duration(duration_seconds.unwrap_or(DEFAULT_SECONDS), role.max_session_seconds, TOO_LONG)?;
    let vouched = claims.tags.principal_tags.iter();
    let tags =
        vouched.filter_map(|(key, values)| Some(Tag { key: key.clone(), value: values.first()?.clone() }));
    let tags = session_tags(None, tags.collect(), claims.tags.transitive_tag_keys.clone())?;
    let policies = session_policies(service, &account, policy, policy_arns).await?;
    let packed_policy_size = packed_size(policies.as_ref(), &tags.tags)?;
    let session = Session {
        tags: tags.tags,
        transitive_tags: tags.transitive,
        policies,
        source_identity: claims.source_identity.clone(),
        provider: Some(provider.arn()),
        ..Session::of(account, subject(&role, &role_session_name))
    };
    let credentials = service.access.issue(session, duration);
    service.access.note_role_use(&role, context.region.as_str()).await;
    Ok(AssumeRoleWithWebIdentityResponse {
        assumed_role_user: Some(assumed_role_user(&role, &role_session_name)),
        audience: claims.audience(&provider).map(str::to_owned),
        credentials: Some(show(&credentials)),
        packed_policy_size,
        provider: Some(provider.arn()),
        source_identity: claims.source_identity.clone(),
        subject_from_web_identity_token: Some(claims.sub.clone()),
    })
}

/// The provider that an account has registered for an issuer.
async fn provider(
    service: &StsService,
    account: &AccountId,
    issuer: &str,
) -> Result<Versioned<OidcProvider>, ServiceError> {
    let found =
        service.tables.get::<OidcProvider>(&OidcProvider::key_of(account, issuer)).await.map_err(store)?;
    found.ok_or_else(|| {
        bad_token(format!("No OpenIDConnect provider found in your account for https://{issuer}"))
    })
}

/// Asks the role's trust policy, with what the token says as condition keys of the provider.
async fn trust(
    service: &StsService,
    context: &RequestContext,
    role: &Versioned<Role>,
    provider: &OidcProvider,
    claims: &Claims,
    session_name: &str,
) -> Result<(), ServiceError> {
    let key = |name: &str| Cow::from(format!("{}:{name}", provider.url));
    let audience = claims.audience(provider).unwrap_or_default().to_owned();
    let mut conditions: Vec<(Cow<'static, str>, Vec<String>)> = vec![
        (key("aud"), vec![audience]),
        (key("sub"), vec![claims.sub.clone()]),
        ("sts:RoleSessionName".into(), vec![session_name.to_owned()]),
    ];
    if !claims.amr.is_empty() {
        conditions.push((key("amr"), claims.amr.clone()));
    }
    let mut actions = vec![ACTION];
    if !claims.tags.principal_tags.is_empty() {
        actions.push("sts:TagSession");
        conditions.push(("aws:TagKeys".into(), claims.tags.principal_tags.keys().cloned().collect()));
        for (tag, values) in &claims.tags.principal_tags {
            conditions.push((format!("aws:RequestTag/{tag}").into(), values.clone()));
        }
    }
    if let Some(identity) = &claims.source_identity {
        actions.push("sts:SetSourceIdentity");
        conditions.push(("sts:SourceIdentity".into(), vec![identity.clone()]));
    }
    let facts = RequestFacts {
        time: context.time,
        source_ip: context.source_ip,
        region: context.region.as_str(),
        user_agent: None,
        secure_transport: false,
    };
    let trusted = service.access.trusts_federated(role, &provider.arn(), &actions, &conditions, &facts).await;
    trusted.map_err(|error| match error {
        AssumeError::NotTrusted { .. } | AssumeError::NoRole(_) => {
            denied(format!("Not authorized to perform {ACTION}"))
        }
        AssumeError::Failed(error) => access(error),
    })
}
