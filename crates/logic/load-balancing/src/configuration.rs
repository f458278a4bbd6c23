//! What the data plane of one host is told: all of its load balancers with all that they need.

use crate::{Matcher, OutlierDetection};
use environment::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// The load balancers of a host. Applied as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Which one this is; a [`Report`](crate::Report) says which one it is about. Chosen by who configures.
    pub revision: u64,
    /// The load balancers.
    pub load_balancers: Vec<LoadBalancer>,
    /// The target groups that their actions name, and those that no load balancer uses (their targets are reported unused).
    pub target_groups: Vec<TargetGroup>,
}

/// A load balancer: the addresses it listens on and what it does there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its ARN. `app/my-name/0123456789abcdef`, the part after `loadbalancer/`, names it in access logs.
    pub arn: String,
    /// Application or network.
    pub kind: Kind,
    /// Addresses of this host that its listeners are on. They need not exist yet when the configuration is applied.
    pub addresses: Vec<IpAddr>,
    /// Its listeners.
    pub listeners: Vec<Listener>,
    /// The attributes of an application load balancer; a network load balancer ignores them.
    #[serde(default)]
    pub http: HttpAttributes,
    /// Where requests (of a network load balancer: TLS connections) are logged, if they are.
    #[serde(default)]
    pub access_log: Option<AccessLog>,
    /// How a proxy tells what it carries, if it does.
    #[serde(default)]
    pub proxy_log: Option<ProxyLog>,
}

/// How a proxy tells of each request and connection, on its standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyLog {
    /// What a line looks like.
    pub format: LogFormat,
    /// Paths are told with their queries.
    pub with_queries: bool,
}

/// What the lines of a [`ProxyLog`] look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogFormat {
    /// Fields in a row.
    Text,
    /// An object.
    Json,
}

/// The type of a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `application`: decides by HTTP requests.
    Application,
    /// `network`: decides by connections and flows.
    Network,
}

/// Attributes of an application load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpAttributes {
    /// `idle_timeout.timeout_seconds`: how long a connection may be without a byte.
    pub idle_timeout_seconds: u32,
    /// `client_keep_alive.seconds`: how long a client's connection is kept at all.
    pub client_keep_alive_seconds: u32,
    /// `routing.http2.enabled`.
    pub http2: bool,
    /// `routing.http.drop_invalid_header_fields.enabled`.
    pub drop_invalid_header_fields: bool,
    /// `routing.http.preserve_host_header.enabled`. Without it the host goes to the target with the listener's port when the
    /// client named none and the port is not the protocol's own.
    pub preserve_host_header: bool,
    /// `routing.http.desync_mitigation_mode`.
    pub desync: Desync,
    /// `routing.http.xff_header_processing.mode`.
    pub forwarded_for: ForwardedFor,
    /// `routing.http.xff_client_port.enabled`.
    pub forwarded_for_port: bool,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`.
    pub tls_headers: bool,
    /// This is no load balancer but the proxy of a task: messages go through as they are, HTTP/2 is taken without TLS, and a
    /// request that may be repeated is given to another target when its target broke off.
    pub is_proxy: bool,
}

impl Default for HttpAttributes {
    fn default() -> Self {
        Self {
            idle_timeout_seconds: 60,
            client_keep_alive_seconds: 3600,
            http2: true,
            drop_invalid_header_fields: false,
            preserve_host_header: false,
            desync: Desync::Defensive,
            forwarded_for: ForwardedFor::Append,
            forwarded_for_port: false,
            tls_headers: false,
            is_proxy: false,
        }
    }
}

/// How suspicious requests are treated. What is ambiguous (conflicting lengths, say) is refused in every mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desync {
    /// Let through what is not ambiguous.
    Monitor,
    /// Let through what is not ambiguous, and close the client's connection after what is odd.
    #[default]
    Defensive,
    /// Refuse what RFC 7230 does not allow.
    Strictest,
}

/// What becomes of `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForwardedFor {
    /// The client's address is added at its end.
    #[default]
    Append,
    /// It goes on as it came.
    Preserve,
    /// It is taken out.
    Remove,
}

/// Log files of one load balancer, rotated by size. A file in progress is `access.log`; whole ones have AWS's names
/// (`ACCOUNT_elasticloadbalancing_REGION_app.NAME.ID_END-TIME_ADDRESS_RANDOM.log`) and are never touched again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLog {
    /// The directory, for this load balancer alone; made when it is missing.
    pub directory: PathBuf,
    /// Size at which a file is whole, in bytes.
    #[serde(default = "AccessLog::default_bytes")]
    pub rotate_bytes: u64,
    /// Age at which a file that is not empty is whole, in seconds.
    #[serde(default = "AccessLog::default_seconds")]
    pub rotate_seconds: u32,
    /// Whole files that are kept; the oldest go first.
    #[serde(default = "AccessLog::default_files")]
    pub keep_files: u32,
}

impl AccessLog {
    /// Logs in a directory, with files of 64 MiB or five minutes, of which a hundred are kept.
    pub fn in_directory(directory: PathBuf) -> Self {
        Self {
            directory,
            rotate_bytes: Self::default_bytes(),
            rotate_seconds: Self::default_seconds(),
            keep_files: Self::default_files(),
        }
    }

    fn default_bytes() -> u64 {
        64 << 20
    }

    fn default_seconds() -> u32 {
        300
    }

    fn default_files() -> u32 {
        100
    }
}

/// A port of all addresses of its load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// For HTTPS and TLS: the default certificate first, then those chosen by SNI.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// Lowest version of TLS, from the security policy.
    #[serde(default)]
    pub minimum_tls: TlsVersion,
    /// Protocols that a TLS listener of a network load balancer offers by ALPN, best first (`h2`, `http/1.1`). An HTTPS
    /// listener decides by [`HttpAttributes::http2`].
    #[serde(default)]
    pub alpn: Vec<String>,
    /// Rules beside the default, in any order.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What happens when no rule matches. Of a network load balancer always a forward.
    pub default_action: Action,
    /// `tcp.idle_timeout.seconds` of a network load balancer.
    #[serde(default = "Listener::default_tcp_idle")]
    pub tcp_idle_timeout_seconds: u32,
    /// `routing.http.response.server.enabled`.
    #[serde(default = "yes")]
    pub server_header: bool,
    /// Headers that are set on every response, from the attributes `routing.http.response.*.header_value`.
    #[serde(default)]
    pub response_headers: Vec<(String, String)>,
}

impl Listener {
    /// A listener with nothing but a default action.
    pub fn new(arn: impl Into<String>, protocol: Protocol, port: u16, default_action: Action) -> Self {
        Self {
            arn: arn.into(),
            protocol,
            port,
            certificates: Vec::new(),
            minimum_tls: TlsVersion::default(),
            alpn: Vec::new(),
            rules: Vec::new(),
            default_action,
            tcp_idle_timeout_seconds: Self::default_tcp_idle(),
            server_header: true,
            response_headers: Vec::new(),
        }
    }

    fn default_tcp_idle() -> u32 {
        350
    }
}

fn yes() -> bool {
    true
}

/// Protocols of listeners, and of the way to targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Protocol {
    /// HTTP, of application load balancers.
    Http,
    /// HTTP in TLS, of application load balancers.
    Https,
    /// TCP, of network load balancers.
    Tcp,
    /// TLS, of network load balancers: ended here, or passed on anew encrypted to a TLS target group.
    Tls,
    /// UDP, of network load balancers.
    Udp,
    /// TCP and UDP on the same port.
    TcpUdp,
}

/// Lowest version of TLS that a listener speaks. Older ones than 1.2 are not to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "TLSv1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "TLSv1.3")]
    V1_3,
}

/// A certificate with its key. The names it is chosen for by SNI are those in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its ARN, for access logs.
    pub arn: String,
    /// PEM: the certificate, then its chain.
    pub chain: String,
    /// PEM of the private key. Never shown by `Debug`.
    pub private_key: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("arn", &self.arn).finish_non_exhaustive()
    }
}

/// A rule of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// 1 to 50,000; the lowest that matches wins.
    pub priority: u32,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What happens then.
    pub action: Action,
}

/// A condition of a rule; holds when any of its values does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// `path-pattern`, case-sensitive, with wildcards.
    PathPattern(Vec<String>),
    /// `host-header`, not case-sensitive, with wildcards.
    HostHeader(Vec<String>),
    /// `http-header`: a name without wildcards, and values with them, not case-sensitive.
    HttpHeader {
        /// Name of the header.
        name: String,
        /// What its value may look like.
        values: Vec<String>,
    },
    /// A header is there, of proxies: with exactly this value, or with any.
    HeaderIs {
        /// Name of the header.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// `http-request-method`, exact.
    HttpRequestMethod(Vec<String>),
    /// `query-string`: pairs with wildcards, not case-sensitive.
    QueryString(Vec<QueryPair>),
    /// `source-ip`: ranges of the address that connects.
    SourceIp(Vec<IpNet>),
}

/// A pair of a `query-string` condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryPair {
    /// The key; without it any.
    #[serde(default)]
    pub key: Option<String>,
    /// The value.
    pub value: String,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// The groups. When all weights are 0, or the chosen group has no target, the answer is 503: other groups do not step
    /// in.
    pub target_groups: Vec<WeightedTargetGroup>,
    /// How long a client stays with the group it got first, in seconds (`TargetGroupStickinessConfig`).
    #[serde(default)]
    pub stickiness_seconds: Option<u32>,
}

impl Forward {
    /// Everything to one group.
    pub fn to(arn: impl Into<String>) -> Self {
        Self {
            target_groups: vec![WeightedTargetGroup { arn: arn.into(), weight: 1 }],
            stickiness_seconds: None,
        }
    }
}

/// A target group of a forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightedTargetGroup {
    /// ARN of the group.
    pub arn: String,
    /// 0 to 999.
    pub weight: u32,
}

/// A redirect. Texts can hold `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: String,
    /// The path, with its leading slash.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// 301 or 302.
    pub status: u16,
}

/// An answer of the load balancer itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx.
    pub status: u16,
    /// Content type of the body.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
}

/// Targets, and how they are reached and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// What is spoken to the targets.
    pub protocol: Protocol,
    /// Version of HTTP, of groups with HTTP or HTTPS.
    #[serde(default)]
    pub protocol_version: ProtocolVersion,
    /// How targets are checked.
    pub health_check: HealthCheck,
    /// Its attributes.
    #[serde(default)]
    pub attributes: TargetGroupAttributes,
    /// Where its targets are reached from, so that security groups know the load balancer; `None` for whatever the machine
    /// takes.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Its targets. One that is registered again while it drains is there once, without [`Target::draining_since`].
    pub targets: Vec<Target>,
}

/// Version of HTTP that targets speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProtocolVersion {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, without TLS by prior knowledge.
    Http2,
    /// gRPC over HTTP/2.
    Grpc,
}

/// How targets are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Whether they are at all. Without, targets are `unavailable` and get requests.
    pub enabled: bool,
    /// What is spoken. With HTTP and a group of gRPC the path is a method, and the matcher is about gRPC's codes.
    pub protocol: HealthCheckProtocol,
    /// The port.
    pub port: HealthCheckPort,
    /// Path of HTTP checks.
    pub path: String,
    /// Time from one check to the next, in seconds.
    pub interval_seconds: u32,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// Successes one after the other that make an unhealthy target healthy. A new target needs one.
    pub healthy_threshold: u32,
    /// Failures one after the other that make a target unhealthy.
    pub unhealthy_threshold: u32,
    /// The codes that are successes.
    pub matcher: Matcher,
}

/// What a check speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthCheckProtocol {
    /// HTTP.
    Http,
    /// HTTP in TLS; certificates of targets are not verified, as on AWS.
    Https,
    /// A connection is made.
    Tcp,
    /// A TLS handshake is made.
    Tls,
}

/// The port of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheckPort {
    /// The port of the target.
    TrafficPort,
    /// This one.
    Port(u16),
}

/// Attributes of a target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetGroupAttributes {
    /// `deregistration_delay.timeout_seconds`.
    pub deregistration_delay_seconds: u32,
    /// `deregistration_delay.connection_termination.enabled`: connections end with the delay. Those of application load
    /// balancers always do.
    pub connection_termination: bool,
    /// `slow_start.duration_seconds`, 0 for none.
    pub slow_start_seconds: u32,
    /// `stickiness.*`, when enabled.
    pub stickiness: Option<Stickiness>,
    /// `load_balancing.algorithm.type`.
    pub algorithm: Algorithm,
    /// `proxy_protocol_v2.enabled`, of TCP and TLS groups.
    pub proxy_protocol_v2: bool,
    /// `target_group_health.unhealthy_state_routing.minimum_healthy_targets.count`.
    pub minimum_healthy_count: u32,
    /// `target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage`, 0 for off.
    pub minimum_healthy_percentage: u32,
    /// `target_health_state.unhealthy.connection_termination.enabled`, of network load balancers.
    pub terminate_unhealthy: bool,
    /// Targets that fail again and again get nothing for a while; of proxies.
    pub outlier_detection: Option<OutlierDetection>,
    /// How long a connection to a target may take to be made, in milliseconds; 10 seconds when absent.
    pub connect_timeout_millis: Option<u32>,
    /// How long a target may take for its whole answer, in seconds; no limit when absent.
    pub request_timeout_seconds: Option<u32>,
}

impl Default for TargetGroupAttributes {
    fn default() -> Self {
        Self {
            deregistration_delay_seconds: 300,
            connection_termination: false,
            slow_start_seconds: 0,
            stickiness: None,
            algorithm: Algorithm::RoundRobin,
            proxy_protocol_v2: false,
            minimum_healthy_count: 1,
            minimum_healthy_percentage: 0,
            terminate_unhealthy: true,
            outlier_detection: None,
            connect_timeout_millis: None,
            request_timeout_seconds: None,
        }
    }
}

/// How a client is kept at its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stickiness {
    /// `lb_cookie`: the cookie AWSALB.
    LbCookie {
        /// How long, in seconds.
        seconds: u32,
    },
    /// `app_cookie`: for as long as the target's own cookie is there, with the cookie AWSALBAPP-0.
    AppCookie {
        /// Name of the target's cookie.
        name: String,
        /// How long at most, in seconds.
        seconds: u32,
    },
    /// `source_ip`, of network load balancers.
    SourceIp,
}

/// How the target of a request is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in progress.
    LeastOutstandingRequests,
    /// By chance.
    WeightedRandom,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What it was registered as: an address, an instance. Together with the port its name in reports.
    pub id: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Since when it is deregistering.
    #[serde(default)]
    pub draining_since: Option<Timestamp>,
}
