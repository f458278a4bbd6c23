//! The form of principals. Whether one exists is the IAM API's to find out.

use super::Checked;
use crate::MalformedPolicy;
use crate::syntax::{PrincipalType, RawPrincipal, RawStatement};
use identifiers::{AccountId, Arn};

/// Policies of users, groups and roles name no principal.
pub(super) fn absent(statements: &[RawStatement]) -> Checked {
    let named =
        statements.iter().any(|statement| statement.principal.is_some() || statement.not_principal.is_some());
    if named { Err(MalformedPolicy::PrincipalNotAllowed) } else { Ok(()) }
}

/// Trust policies do not take `NotPrincipal`.
pub(super) fn not_negated(statements: &[RawStatement]) -> Checked {
    if statements.iter().any(|statement| statement.not_principal.is_some()) {
        return Err(MalformedPolicy::ProhibitedField("NotPrincipal"));
    }
    Ok(())
}

/// Every statement names principals, and each has the form of one.
pub(super) fn check(statements: &[RawStatement]) -> Checked {
    for statement in statements {
        match statement.principal.as_ref().or(statement.not_principal.as_ref()) {
            None => return Err(MalformedPolicy::MissingField("Principal")),
            Some(RawPrincipal::Anyone) => {}
            Some(RawPrincipal::Named(kinds)) => {
                if kinds.iter().all(|(_, values)| values.is_empty()) {
                    return Err(MalformedPolicy::NoPrincipals);
                }
                for (kind, values) in kinds {
                    values.iter().try_for_each(|value| check_value(*kind, value))?;
                }
            }
        }
    }
    Ok(())
}

fn check_value(kind: PrincipalType, value: &str) -> Checked {
    let (name, known) = match kind {
        PrincipalType::Aws => ("AWS", is_aws_principal(value)),
        PrincipalType::Service => ("SERVICE", is_host(value)),
        PrincipalType::CanonicalUser => {
            ("CanonicalUser", value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }
        PrincipalType::Federated if is_host(value) || is_provider(value) => return Ok(()),
        PrincipalType::Federated => return Err(MalformedPolicy::FederatedPrincipal),
    };
    if known {
        Ok(())
    } else {
        Err(MalformedPolicy::InvalidPrincipal { kind: name, value: value.to_owned() })
    }
}

/// `*`, an account, the ARN of a user, role or session, or a unique id. Wildcards stand for whole names only.
fn is_aws_principal(value: &str) -> bool {
    if value == "*" || value.parse::<AccountId>().is_ok() {
        return true;
    }
    let Ok(arn) = value.parse::<Arn>() else {
        // What is left in a policy of a user or role that was deleted since.
        let id = value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        return id
            && (16..=128).contains(&value.len())
            && (value.starts_with("AIDA") || value.starts_with("AROA"));
    };
    let named = match arn.service.as_str() {
        "iam" => {
            arn.resource == "root" || has_name(&arn.resource, "user/") || has_name(&arn.resource, "role/")
        }
        "sts" => {
            let session = arn.resource.strip_prefix("assumed-role/").and_then(|rest| rest.split_once('/'));
            session.is_some_and(|(role, name)| !role.is_empty() && !name.is_empty())
                || has_name(&arn.resource, "federated-user/")
        }
        _ => false,
    };
    named && arn.region.is_empty() && arn.account.parse::<AccountId>().is_ok() && !value.contains(['*', '?'])
}

fn has_name(resource: &str, prefix: &str) -> bool {
    resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty())
}

/// A host name of several labels, as services and well-known identity providers have.
fn is_host(value: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    value.contains('.') && value.split('.').all(is_label)
}

fn is_provider(value: &str) -> bool {
    value.parse::<Arn>().is_ok_and(|arn| {
        let provider = has_name(&arn.resource, "oidc-provider/") || has_name(&arn.resource, "saml-provider/");
        arn.service == "iam" && provider && arn.account.parse::<AccountId>().is_ok()
    })
}
