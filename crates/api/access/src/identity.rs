//! Who called, as a record shows it. The one place that knows both the caller and the record.

use crate::{Caller, CallerKind};
use audit_log::{Identity, Session};

/// The service in whose name the region's hosts call.
const HOSTS: &str = "ecs.amazonaws.com";

/// The caller as the record shows it. `claimed_key` is the access key that the request names.
pub fn identity<'a>(caller: &'a Caller, claimed_key: &'a str) -> Identity<'a> {
    let base = Identity {
        principal_id: &caller.principal_id,
        arn: &caller.principal_arn,
        account: caller.account.as_str(),
        access_key_id: caller.access_key_id.as_deref().unwrap_or(claimed_key),
        session: session(caller),
        ..Identity::default()
    };
    match &caller.kind {
        CallerKind::Root => Identity { kind: "Root", ..base },
        CallerKind::User { name } => Identity { kind: "IAMUser", user_name: name, ..base },
        CallerKind::AssumedRole { .. } => Identity { kind: "AssumedRole", ..base },
        CallerKind::FederatedUser { .. } => {
            let name = base.principal_id.split_once(':').map_or("", |(_, name)| name);
            Identity { kind: "FederatedUser", user_name: name, ..base }
        }
        CallerKind::Host => Identity { kind: "AWSService", invoked_by: HOSTS, ..base },
        // Whoever it was has shown nothing of what would stand here.
        CallerKind::Anonymous => Identity { kind: "Unknown", ..Identity::default() },
    }
}

/// The session of temporary credentials, with who issued it.
fn session(caller: &Caller) -> Option<Session<'_>> {
    let facts = caller.session.as_deref()?;
    let account = caller.account.as_str();
    let issuer_id = caller.principal_id.split(':').next().unwrap_or_default();
    let issued = Session { created_at: facts.issued_at, mfa: facts.mfa, ..Session::default() };
    Some(match &caller.kind {
        CallerKind::AssumedRole { role, role_arn, role_id } => Session {
            issuer_kind: "Role",
            issuer_principal_id: role_id,
            issuer_arn: role_arn,
            issuer_account: account,
            issuer_name: role,
            ..issued
        },
        CallerKind::FederatedUser { user, user_arn } => Session {
            issuer_kind: if user.is_some() { "IAMUser" } else { "Root" },
            issuer_principal_id: issuer_id,
            issuer_arn: user_arn,
            issuer_account: account,
            issuer_name: user.as_deref().unwrap_or_default(),
            ..issued
        },
        _ => issued,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use environment::Timestamp;

    fn caller(kind: CallerKind, id: &str, session: Option<crate::Session>) -> Caller {
        let account = "123456789012".parse().expect("an account");
        let session = session.map(Into::into);
        Caller { kind, principal_id: id.into(), session, ..Caller::root(&account) }
    }

    fn session() -> crate::Session {
        let account = "123456789012".parse().expect("an account");
        let subject = crate::Subject::Role {
            name: "deployer".to_owned(),
            id: "AROAX".to_owned(),
            session: "ci".to_owned(),
        };
        crate::Session { issued_at: Timestamp::from_seconds(5), ..crate::Session::of(account, subject) }
    }

    #[test]
    fn kinds_and_names() {
        let role = CallerKind::AssumedRole {
            role: "deployer".into(),
            role_arn: "arn:aws:iam::123456789012:role/deployer".into(),
            role_id: "AROAX".into(),
        };
        let federated = CallerKind::FederatedUser {
            user: Some("ann".into()),
            user_arn: "arn:aws:iam::1:user/ann".into(),
        };
        for (kind, id, expected, username) in [
            (CallerKind::Root, "123456789012", "Root", "root"),
            (CallerKind::User { name: "ann".into() }, "AIDAX", "IAMUser", "ann"),
            (role.clone(), "AROAX:ci", "AssumedRole", "ci"),
            (federated, "123456789012:bob", "FederatedUser", "bob"),
            (CallerKind::Host, "host", "AWSService", HOSTS),
            (CallerKind::Anonymous, "ANONYMOUS_PRINCIPAL", "Unknown", ""),
        ] {
            let caller = caller(kind, id, None);
            let identity = identity(&caller, "AKIAX");
            assert_eq!((identity.kind, identity.username()), (expected, username));
        }
        let caller = caller(role, "AROAX:ci", Some(session()));
        let session = identity(&caller, "ASIAX").session.expect("a session");
        assert_eq!((session.issuer_principal_id, session.issuer_name), ("AROAX", "deployer"));
        assert_eq!((session.created_at, session.mfa), (Timestamp::from_seconds(5), false));
    }
}
