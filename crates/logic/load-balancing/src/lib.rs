//! Load balancers of Elastic Load Balancing: what the data plane of a host is told, what it answers, and how it decides. Pure.
//!
//! [`Configuration`] is everything that one host's data plane does: it is replaced as a whole, and what it says comes out of
//! stored rows. [`Report`] is what was seen: the health of targets, what draining targets still have to do, and counters.
//! The process that does it is the crate `load-balancer`; who configures it sees these two types and nothing of it.
//!
//! A target that is to go stays in the configuration with [`Target::draining_since`] set until its [`TargetReport`] says
//! [`TargetState::Unused`]: then its last request has ended, or its deregistration delay is over, and it can be left out.
//! A target that is left out at once gets no new request either, and its outstanding requests end by themselves.
//!
//! The decisions are here, too, as functions of what they are given: which rule a request matches ([`Rules`]), which
//! target gets it ([`choose`]), which cookies keep a client at its target, where a redirect leads, and what
//! checks say of a target's health ([`Health`]). Wildcards, case and codes follow AWS's documentation.

mod choice;
mod configuration;
mod health;
mod matcher;
mod outlier;
mod pattern;
mod redirect;
mod report;
mod rules;
mod stickiness;

pub use choice::{Candidate, choose, choose_by_flow, choose_group, flow_hash, slow_start_share};
pub use configuration::{
    AccessLog, Action, Algorithm, Certificate, Condition, Configuration, Desync, FixedResponse, Forward,
    ForwardedFor, HealthCheck, HealthCheckPort, HealthCheckProtocol, HttpAttributes, Kind, Listener,
    LoadBalancer, LogFormat, Protocol, ProtocolVersion, ProxyLog, QueryPair, Redirect, Rule, Stickiness,
    Target, TargetGroup, TargetGroupAttributes, TlsVersion, WeightedTargetGroup,
};
pub use health::{CheckFailure, Health};
pub use matcher::{BadMatcher, Matcher};
pub use outlier::{Outlier, OutlierDetection};
pub use pattern::Pattern;
pub use redirect::{RedirectParts, location};
pub use report::{
    ListenerReport, LoadBalancerCounters, Reason, Report, ResponseTimes, TargetGroupCounters, TargetReport,
    TargetState,
};
pub use rules::{RequestView, Rules, host_without_port, normalize_path};
pub use stickiness::{
    APP_COOKIE, GROUP_COOKIE, LB_COOKIE, StickyToken, cookie_value, group_token, target_token,
};
