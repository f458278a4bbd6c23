//! Rules of listeners.

use super::{LISTENER_RULE, Tags, account_and_rest};
use crate::Stored;
use environment::Timestamp;
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A rule beside the default one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Owner.
    pub account: AccountId,
    /// Name of its load balancer.
    pub load_balancer: String,
    /// Id of its listener.
    pub listener: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// 1 to 50,000, unique in the listener; the lowest that matches wins.
    pub priority: u32,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What happens then.
    pub actions: Vec<Action>,
    /// Tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A condition; holds when any of its values does. Of the two ways to write host and path conditions, the request's is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// `path-pattern`.
    PathPattern(Vec<String>),
    /// `host-header`.
    HostHeader(Vec<String>),
    /// `http-header`.
    HttpHeader {
        /// Name of the header.
        name: String,
        /// What its value may look like.
        values: Vec<String>,
    },
    /// `http-request-method`.
    HttpRequestMethod(Vec<String>),
    /// `query-string`.
    QueryString(Vec<QueryPair>),
    /// `source-ip`, as CIDR blocks.
    SourceIp(Vec<String>),
}

/// A pair of a `query-string` condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryPair {
    /// The key; without it any.
    pub key: Option<String>,
    /// The value.
    pub value: String,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It goes to a target.
    Forward(Forward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The load balancer answers.
    FixedResponse(FixedResponse),
}

/// Target groups with weights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// One to five groups.
    pub target_groups: Vec<WeightedTargetGroup>,
    /// Whether clients stay with their group.
    pub stickiness: Option<GroupStickiness>,
}

/// A target group of a forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightedTargetGroup {
    /// ARN of the group.
    pub arn: String,
    /// 0 to 999.
    pub weight: u32,
}

/// Whether clients stay with their group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStickiness {
    /// Whether they do.
    pub enabled: bool,
    /// For how many seconds.
    pub seconds: Option<u32>,
}

/// A redirect; texts may hold `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: String,
    /// The port.
    pub port: String,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// Whether it is for good: 301 rather than 302.
    pub permanent: bool,
}

/// An answer of the load balancer itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx.
    pub status: u16,
    /// Content type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<String>,
}

impl Rule {
    /// The key in an ARN of a rule; of a default rule the key names no row.
    pub fn key_in(arn: &str) -> Option<String> {
        let (account, rest) = account_and_rest(arn, LISTENER_RULE)?;
        match rest[..] {
            [_, name, _, listener, id] => Some(format!("{account}/{name}/{listener}/{id}")),
            _ => None,
        }
    }
}

impl Action {
    /// ARNs of the target groups that it names.
    pub fn target_groups(&self) -> impl Iterator<Item = &str> {
        let groups = match self {
            Self::Forward(forward) => forward.target_groups.as_slice(),
            Self::Redirect(_) | Self::FixedResponse(_) => &[],
        };
        groups.iter().map(|group| group.arn.as_str())
    }
}

impl Stored for Rule {
    const TABLE: &'static str = "elb/rule";

    fn key(&self) -> String {
        format!("{}/{}/{}/{}", self.account, self.load_balancer, self.listener, self.id)
    }
}
