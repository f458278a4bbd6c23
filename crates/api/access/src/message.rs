//! Encoded authorization messages: a denial with its reasons, sealed for those who may decode it.

use crate::{Access, Denied};
use serde_json::json;

/// What these messages are sealed for.
const PURPOSE: &str = "authorization-message";
/// Longest message that is looked at, as DecodeAuthorizationMessage bounds it.
const MOST_BYTES: usize = 10_240;

impl Access {
    /// Seals a denial, as services answer it that do not show their reasons to everybody.
    pub fn encode_denial(&self, denied: &Denied) -> String {
        let matched = denied.decision.as_ref().and_then(|decision| decision.decided_by.as_ref());
        let statements: Vec<_> = matched
            .map(|statement| {
                json!({
                    "statementId": statement.sid.as_deref().unwrap_or_default(),
                    "effect": "DENY",
                    "sourcePolicyId": &*statement.source,
                })
            })
            .into_iter()
            .collect();
        let message = json!({
            "allowed": false,
            "explicitDeny": denied.is_explicit(),
            "matchedStatements": {"items": statements},
            "failures": {"items": []},
            "context": {
                "principal": {"id": denied.principal_id, "arn": denied.principal_arn},
                "action": denied.action,
                "resource": denied.resource,
                "conditions": {"items": []},
            },
        });
        self.keys.seal(PURPOSE, message.to_string().as_bytes())
    }

    /// What [`Access::encode_denial`] sealed; `None` for anything else.
    pub fn decode_denial(&self, message: &str) -> Option<String> {
        if message.len() > MOST_BYTES {
            return None;
        }
        let plain = self.keys.open(PURPOSE, message).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}
