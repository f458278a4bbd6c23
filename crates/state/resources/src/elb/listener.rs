//! Listeners.

use super::{Action, LISTENER, LISTENER_RULE, Protocol, Tags, account_and_rest};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A port of a load balancer, with the rule that holds when no other does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Owner.
    pub account: AccountId,
    /// Name of its load balancer.
    pub load_balancer: String,
    /// ARN of its load balancer.
    pub load_balancer_arn: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// Name of the security policy, of HTTPS and TLS.
    pub ssl_policy: Option<String>,
    /// Name of the ALPN policy, of TLS.
    pub alpn_policy: Option<String>,
    /// Certificates, the default one first.
    pub certificates: Vec<ListenerCertificate>,
    /// 16 hexadecimal digits of its default rule.
    pub default_rule: String,
    /// What the default rule does.
    pub default_actions: Vec<Action>,
    /// Tags of the default rule.
    #[serde(default)]
    pub default_rule_tags: Tags,
    /// Attributes that differ from the default.
    pub attributes: BTreeMap<String, String>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A certificate of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerCertificate {
    /// Its ARN: that of a server certificate of IAM.
    pub arn: String,
}

impl Listener {
    /// The key in an ARN of a listener.
    pub fn key_in(arn: &str) -> Option<String> {
        let (account, rest) = account_and_rest(arn, LISTENER)?;
        match rest[..] {
            [_, name, _, id] => Some(format!("{account}/{name}/{id}")),
            _ => None,
        }
    }

    /// ARN of one of its rules.
    pub fn rule_arn(&self, id: &str) -> String {
        let arn = self.arn.replacen(&format!(":{LISTENER}/"), &format!(":{LISTENER_RULE}/"), 1);
        format!("{arn}/{id}")
    }
}

impl Stored for Listener {
    const TABLE: &'static str = "elb/listener";

    fn key(&self) -> String {
        format!("{}/{}/{}", self.account, self.load_balancer, self.id)
    }
}
