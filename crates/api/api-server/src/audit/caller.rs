//! Who called, as a record shows it. The one place that knows both the caller and the record.

use access::Caller;
use audit_log::{Identity, Session};
use http::request::Parts;

/// Longest access key id that is believed to be one.
const MOST_KEY: usize = 128;

/// The caller as the record shows it.
pub(super) fn identity<'a>(caller: &'a Caller, access_key_id: &'a str) -> Identity<'a> {
    let arn = &*caller.principal_arn;
    let principal = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let base = Identity {
        principal_id: &caller.principal_id,
        arn,
        account: caller.account.as_str(),
        access_key_id,
        ..Identity::default()
    };
    match principal.split_once('/') {
        None if principal == "root" => Identity { kind: "Root", ..base },
        Some(("user", path)) => {
            Identity { kind: "IAMUser", user_name: path.rsplit('/').next().unwrap_or(path), ..base }
        }
        Some(("assumed-role", path)) => {
            let issuer = Session {
                issuer_kind: "Role",
                issuer_principal_id: base.principal_id.split(':').next().unwrap_or_default(),
                issuer_account: base.account,
                issuer_name: path.split('/').next().unwrap_or_default(),
                ..Session::default()
            };
            Identity { kind: "AssumedRole", session: Some(issuer), ..base }
        }
        Some(("federated-user", name)) => Identity { kind: "FederatedUser", user_name: name, ..base },
        _ => Identity { kind: "Unknown", ..base },
    }
}

/// The access key that a request says it is signed with: in its header, or in its query string when presigned.
pub(super) fn claimed_key(parts: &Parts) -> &str {
    let header = parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let after = |text: &'_ str, mark: &str| text.find(mark).map(|at| at + mark.len());
    let rest = if let Some(header) = header {
        after(header, "Credential=").map(|at| &header[at..])
    } else {
        let query = parts.uri.query().unwrap_or_default();
        after(query, "X-Amz-Credential=").map(|at| &query[at..])
    };
    let rest = rest.unwrap_or_default();
    // Ids are plain, so the first other character ends one, be it a slash or its escape.
    let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
    if end > MOST_KEY { "" } else { &rest[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(arn: &str, id: &str) -> Caller {
        let account = "123456789012".parse().expect("an account");
        Caller { principal_arn: arn.into(), principal_id: id.into(), ..Caller::root(&account) }
    }

    #[test]
    fn kinds_and_names() {
        for (arn, id, kind, username) in [
            ("arn:aws:iam::123456789012:root", "123456789012", "Root", "root"),
            ("arn:aws:iam::123456789012:user/division/ann", "AIDAX", "IAMUser", "ann"),
            ("arn:aws:sts::123456789012:assumed-role/deployer/ci", "AROAX:ci", "AssumedRole", "ci"),
            ("arn:aws:sts::123456789012:federated-user/bob", "123456789012:bob", "FederatedUser", "bob"),
        ] {
            let caller = caller(arn, id);
            let identity = identity(&caller, "AKIAX");
            assert_eq!((identity.kind, identity.username()), (kind, username));
        }
        let role = caller("arn:aws:sts::123456789012:assumed-role/deployer/ci", "AROAX:ci");
        let session = identity(&role, "ASIAX").session.expect("a session");
        assert_eq!((session.issuer_principal_id, session.issuer_name), ("AROAX", "deployer"));
    }

    #[test]
    fn keys_are_read_from_header_and_query() {
        let parts = |uri: &str, header: Option<&str>| {
            let mut request = http::Request::get(uri);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            request.body(()).expect("a request").into_parts().0
        };
        let header =
            "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host";
        assert_eq!(claimed_key(&parts("/", Some(header))), "AKIAX");
        assert_eq!(claimed_key(&parts("/?Action=X&X-Amz-Credential=AKIAY%2F20260101", None)), "AKIAY");
        assert_eq!(claimed_key(&parts("/", None)), "");
        assert_eq!(claimed_key(&parts("/", Some("Basic abc"))), "");
        let long = format!("Credential={}", "A".repeat(5000));
        assert_eq!(claimed_key(&parts("/", Some(&long))), "");
    }
}
