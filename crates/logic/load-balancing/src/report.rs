//! What the data plane of one host has seen.

use environment::Timestamp;
use serde::{Deserialize, Serialize};

/// What a data plane has seen so far. Counters begin at nothing when its process starts: who keeps statistics takes
/// differences of reports with the same [`Report::process`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Revision of the configuration that it works by.
    pub revision: u64,
    /// Which process counted; another one starts from nothing.
    pub process: String,
    /// When it was made.
    pub at: Timestamp,
    /// The listeners.
    pub listeners: Vec<ListenerReport>,
    /// The targets.
    pub targets: Vec<TargetReport>,
    /// Counters of load balancers.
    pub load_balancers: Vec<LoadBalancerCounters>,
    /// Counters of target groups.
    pub target_groups: Vec<TargetGroupCounters>,
}

/// Whether a listener works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerReport {
    /// Its ARN.
    pub arn: String,
    /// Why it does not listen (the address is taken, a certificate cannot be read), if it does not. It is tried again.
    pub error: Option<String>,
}

/// A target and its health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReport {
    /// ARN of its group.
    pub target_group: String,
    /// What it was registered as.
    pub id: String,
    /// Its port.
    pub port: u16,
    /// Its state.
    pub state: TargetState,
    /// Why it is in that state; of healthy targets nothing.
    pub reason: Option<Reason>,
    /// The same for people, in AWS's words.
    pub description: Option<String>,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Requests (of network load balancers: connections and flows) in progress.
    pub outstanding: u64,
}

/// State of a target, with AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Its first checks are under way.
    Initial,
    /// It gets requests.
    Healthy,
    /// It gets none, unless too few others are healthy.
    Unhealthy,
    /// No load balancer uses its group, or it has drained.
    Unused,
    /// It gets no new requests, and ends those in progress.
    Draining,
    /// Checks are disabled; it gets requests.
    Unavailable,
}

impl TargetState {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unused => "unused",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
        }
    }
}

/// AWS's reason codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The target has just been registered.
    #[serde(rename = "Elb.RegistrationInProgress")]
    RegistrationInProgress,
    /// Its first checks are under way.
    #[serde(rename = "Elb.InitialHealthChecking")]
    InitialHealthChecking,
    /// The load balancer itself failed to check.
    #[serde(rename = "Elb.InternalError")]
    InternalError,
    /// A check was answered with another code than wanted.
    #[serde(rename = "Target.ResponseCodeMismatch")]
    ResponseCodeMismatch,
    /// A check was not answered in time.
    #[serde(rename = "Target.Timeout")]
    Timeout,
    /// A check found no connection or nonsense.
    #[serde(rename = "Target.FailedHealthChecks")]
    FailedHealthChecks,
    /// It has drained, or never was there.
    #[serde(rename = "Target.NotRegistered")]
    NotRegistered,
    /// No load balancer uses its group.
    #[serde(rename = "Target.NotInUse")]
    NotInUse,
    /// It drains.
    #[serde(rename = "Target.DeregistrationInProgress")]
    DeregistrationInProgress,
    /// Checks are disabled.
    #[serde(rename = "Target.HealthCheckDisabled")]
    HealthCheckDisabled,
}

impl Reason {
    /// The code of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "Elb.RegistrationInProgress",
            Self::InitialHealthChecking => "Elb.InitialHealthChecking",
            Self::InternalError => "Elb.InternalError",
            Self::ResponseCodeMismatch => "Target.ResponseCodeMismatch",
            Self::Timeout => "Target.Timeout",
            Self::FailedHealthChecks => "Target.FailedHealthChecks",
            Self::NotRegistered => "Target.NotRegistered",
            Self::NotInUse => "Target.NotInUse",
            Self::DeregistrationInProgress => "Target.DeregistrationInProgress",
            Self::HealthCheckDisabled => "Target.HealthCheckDisabled",
        }
    }

    /// What it means, in AWS's words.
    pub fn description(self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "Target registration is in progress",
            Self::InitialHealthChecking => "Initial health checks in progress",
            Self::InternalError => "Health checks failed due to an internal error",
            Self::ResponseCodeMismatch => "Health checks failed with unexpected codes",
            Self::Timeout => "Request timed out",
            Self::FailedHealthChecks => "Health checks failed",
            Self::NotRegistered => "Target is not registered to the target group",
            Self::NotInUse => "Target group is not configured to receive traffic from the load balancer",
            Self::DeregistrationInProgress => "Target deregistration is in progress",
            Self::HealthCheckDisabled => "Health checks are disabled for this target group",
        }
    }
}

/// Counters of a load balancer. All but `active_connections` only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadBalancerCounters {
    /// ARN of the load balancer.
    pub arn: String,
    /// Requests that were answered (`RequestCount`).
    pub requests: u64,
    /// Of these those that speak gRPC (`GrpcRequestCount`).
    pub grpc_requests: u64,
    /// Answers of its own with 3xx, 4xx and 5xx (`HTTPCode_ELB_3XX_Count` and so on); fixed responses are not among them.
    pub elb_3xx: u64,
    /// See `elb_3xx`.
    pub elb_4xx: u64,
    /// See `elb_3xx`.
    pub elb_5xx: u64,
    /// Of `elb_5xx` those with 502, with 503 and with 504.
    pub elb_502: u64,
    /// See `elb_502`.
    pub elb_503: u64,
    /// See `elb_502`.
    pub elb_504: u64,
    /// Redirects and fixed responses given.
    pub redirects: u64,
    /// See `redirects`.
    pub fixed_responses: u64,
    /// Connections and flows of clients that are open.
    pub active_connections: u64,
    /// Connections and flows of clients so far.
    pub new_connections: u64,
    /// Connections refused because too many were open.
    pub rejected_connections: u64,
    /// TLS handshakes with clients that failed.
    pub client_tls_errors: u64,
    /// Bytes of bodies (of network load balancers: of streams and datagrams), both ways.
    pub processed_bytes: u64,
}

/// Counters of a target group. All only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetGroupCounters {
    /// ARN of the group.
    pub arn: String,
    /// Requests (of network load balancers: connections and flows) given to targets.
    pub requests: u64,
    /// Answers of targets by code (`HTTPCode_Target_2XX_Count` and so on).
    pub target_2xx: u64,
    /// See `target_2xx`.
    pub target_3xx: u64,
    /// See `target_2xx`.
    pub target_4xx: u64,
    /// See `target_2xx`.
    pub target_5xx: u64,
    /// Connections to targets that were not made (`TargetConnectionErrorCount`).
    pub connection_errors: u64,
    /// Time from a request's going to the target until the headers of its answer (`TargetResponseTime`).
    pub response_times: ResponseTimes,
}

/// A sum of durations, and how they are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseTimes {
    /// How many.
    pub count: u64,
    /// Their sum in microseconds.
    pub sum_micros: u64,
    /// How many were below 2^i microseconds and not below 2^(i-1), for i from 0.
    pub buckets: Vec<u64>,
}
