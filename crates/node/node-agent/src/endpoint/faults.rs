//! Faults that a task makes in its own network, for tests of how it bears them: asked for at
//! `$ECS_AGENT_URI/fault/v1/FAULT/ACTION`. Requests, answers and errors are those of the published agent, and so is the
//! limit of one request in five seconds for each container, fault and action.

use super::Endpoint;
use super::answer::{Answer, json_answer};
use crate::engine::EngineError;
use container_network::ENDPOINT;
use container_network::faults::{Fault, FaultName, Port, Protocol, Range, Traffic};
use environment::Timestamp;
use http::{Method, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Time between two requests that are heard.
const BETWEEN: Duration = Duration::from_secs(5);
/// Longest time for making or ending a fault.
const WORK_TIME: Duration = Duration::from_secs(5);
/// What is said of failures of this machine; why is in its log.
const INTERNAL: &str = "internal error";

/// Who asked for what and when, and whose turn it is.
#[derive(Default)]
pub(crate) struct FaultRequests {
    /// By container, fault and action, of which there are few.
    heard: Mutex<HashMap<(usize, Kind, Action), Timestamp>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    BlackholePort,
    Latency,
    PacketLoss,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Start,
    Stop,
    Status,
}

/// What a request is about.
struct Asked {
    name: FaultName,
    /// How it is to be; absent where that does not matter.
    fault: Option<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BlackholePortRequest {
    port: Option<u16>,
    protocol: Option<String>,
    traffic_type: Option<String>,
    sources_to_filter: Option<Vec<Option<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LatencyRequest {
    delay_milliseconds: Option<u64>,
    jitter_milliseconds: Option<u64>,
    sources: Option<Vec<Option<String>>>,
    sources_to_filter: Option<Vec<Option<String>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PacketLossRequest {
    loss_percent: Option<u64>,
    sources: Option<Vec<Option<String>>>,
    sources_to_filter: Option<Vec<Option<String>>>,
}

impl Endpoint {
    /// Answers a request about a fault.
    pub(super) async fn fault(
        &self,
        method: &Method,
        container: &str,
        (kind, action): (&str, &str),
        body: &[u8],
    ) -> Answer {
        let (Some(kind), Some(action)) = (Kind::named(kind), Action::named(action)) else {
            return json_answer(StatusCode::NOT_FOUND, &Value::from("404 page not found"));
        };
        if method != Method::POST {
            return json_answer(StatusCode::METHOD_NOT_ALLOWED, &Value::from("405 method not allowed"));
        }
        let known = (0..self.task.containers.len()).find(|index| self.task.endpoint_id(*index) == container);
        if let Some(index) = known
            && !self.faults.hears((index, kind, action), self.environment.now())
        {
            return error(StatusCode::TOO_MANY_REQUESTS, "You have reached maximum request limit.");
        }
        let asked = match read(kind, action, body) {
            Ok(asked) => asked,
            Err(text) => return error(StatusCode::BAD_REQUEST, &text),
        };
        if known.is_none() {
            let text = format!(
                "unable to get task arn from request: unable to get task Arn from v3 endpoint ID: {container}"
            );
            return error(StatusCode::NOT_FOUND, &text);
        }
        if !self.task.fault_injection {
            let text = format!("enableFaultInjection is not enabled for task: {}", self.task.arn);
            return error(StatusCode::BAD_REQUEST, &text);
        }
        let request = format!("{} {}", action.verb(), kind.as_str());
        let done = async {
            let _turn = self.faults.turn.lock().await;
            self.carry_out(action, asked).await
        };
        tokio::select! {
            done = done => match done {
                Ok(answer) => answer,
                Err(failed) => {
                    tracing::warn!(task = self.task.id, request, error = %failed, "a fault cannot be made or ended");
                    error(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
                }
            },
            () = self.environment.sleep(WORK_TIME) => {
                error(StatusCode::INTERNAL_SERVER_ERROR, &format!("{request}: request timed out"))
            }
        }
    }

    async fn carry_out(&self, action: Action, asked: Asked) -> Result<Answer, EngineError> {
        let (engine, task) = (&self.engine, self.task.id.as_str());
        let status = match action {
            Action::Start => {
                if !matches!(asked.name, FaultName::BlackholePort(_)) {
                    // Only one of the two at a time, whichever it is.
                    for (name, text) in [
                        (FaultName::Latency, "There is already one network latency fault running"),
                        (FaultName::PacketLoss, "There is already one network packet loss fault running"),
                    ] {
                        if engine.has_fault(task, name).await? {
                            return Ok(error(StatusCode::CONFLICT, text));
                        }
                    }
                }
                if let Some(fault) = asked.fault {
                    engine.start_fault(task, fault).await?;
                }
                "running"
            }
            Action::Stop => {
                engine.stop_fault(task, asked.name).await?;
                "stopped"
            }
            Action::Status if engine.has_fault(task, asked.name).await? => "running",
            Action::Status => "not-running",
        };
        Ok(json_answer(StatusCode::OK, &json!({"Status": status})))
    }
}

impl FaultRequests {
    /// Whether a request is heard, and takes note of it.
    fn hears(&self, what: (usize, Kind, Action), now: Timestamp) -> bool {
        let mut heard = self.heard.lock();
        // A clock that was put back counts as one that has gone on.
        if heard.get(&what).is_some_and(|last| *last <= now && now.since(*last) < BETWEEN) {
            return false;
        }
        heard.insert(what, now);
        true
    }
}

impl Kind {
    fn named(text: &str) -> Option<Self> {
        [Self::BlackholePort, Self::Latency, Self::PacketLoss].into_iter().find(|kind| kind.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::BlackholePort => "network-blackhole-port",
            Self::Latency => "network-latency",
            Self::PacketLoss => "network-packet-loss",
        }
    }
}

impl Action {
    fn named(text: &str) -> Option<Self> {
        match text {
            "start" => Some(Self::Start),
            "stop" => Some(Self::Stop),
            "status" => Some(Self::Status),
            _ => None,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Status => "check status",
        }
    }
}

/// Reads what is asked for. Only a blackhole needs to be told of to be stopped or looked for.
fn read(kind: Kind, action: Action, body: &[u8]) -> Result<Asked, String> {
    let name = match kind {
        Kind::BlackholePort => {
            let fault = blackhole(decode(body)?)?;
            return Ok(Asked { name: fault.name(), fault: Some(fault) });
        }
        Kind::Latency => FaultName::Latency,
        Kind::PacketLoss => FaultName::PacketLoss,
    };
    let fault = match (kind, action) {
        (Kind::Latency, Action::Start) => Some(latency(decode(body)?)?),
        (Kind::PacketLoss, Action::Start) => Some(packet_loss(decode(body)?)?),
        _ => None,
    };
    Ok(Asked { name, fault })
}

fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    if body.trim_ascii().is_empty() {
        return Err("required request body is missing".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn blackhole(request: BlackholePortRequest) -> Result<Fault, String> {
    let number = required(request.port, "Port")?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let protocol = required(filled(request.protocol), "Protocol")?;
    let traffic = required(filled(request.traffic_type), "TrafficType")?;
    let protocol = match protocol.as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => return Err(invalid(other, "Protocol")),
    };
    let traffic = match traffic.as_str() {
        "ingress" => Traffic::Ingress,
        "egress" => Traffic::Egress,
        other => return Err(invalid(other, "TrafficType")),
    };
    let mut spared = ranges(request.sources_to_filter, "SourcesToFilter")?;
    if traffic == Traffic::Egress && number == ENDPOINT.port() {
        // The task must be able to end it.
        spared.push(Range::from(IpAddr::V4(*ENDPOINT.ip())));
    }
    Ok(Fault::BlackholePort { port: Port { traffic, protocol, number }, spared })
}

fn latency(request: LatencyRequest) -> Result<Fault, String> {
    Ok(Fault::Latency {
        delay: Duration::from_millis(required(request.delay_milliseconds, "DelayMilliseconds")?),
        jitter: Duration::from_millis(required(request.jitter_milliseconds, "JitterMilliseconds")?),
        towards: required_ranges(request.sources)?,
        spared: ranges(request.sources_to_filter, "SourcesToFilter")?,
    })
}

fn packet_loss(request: PacketLossRequest) -> Result<Fault, String> {
    let percent = required(request.loss_percent, "LossPercent")?;
    let within = u8::try_from(percent).ok().filter(|percent| (1..=100).contains(percent));
    Ok(Fault::PacketLoss {
        percent: within.ok_or_else(|| invalid(&percent.to_string(), "LossPercent"))?,
        towards: required_ranges(request.sources)?,
        spared: ranges(request.sources_to_filter, "SourcesToFilter")?,
    })
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("required parameter {name} is missing"))
}

fn required_ranges(texts: Option<Vec<Option<String>>>) -> Result<Vec<Range>, String> {
    ranges(required(texts.filter(|texts| !texts.is_empty()).map(Some), "Sources")?, "Sources")
}

fn ranges(texts: Option<Vec<Option<String>>>, name: &str) -> Result<Vec<Range>, String> {
    let texts = texts.into_iter().flatten().map(Option::unwrap_or_default);
    texts.map(|text| text.parse().map_err(|_| invalid(&text, name))).collect()
}

fn invalid(value: &str, name: &str) -> String {
    format!("invalid value {value} for parameter {name}")
}

fn error(status: StatusCode, text: &str) -> Answer {
    json_answer(status, &json!({"Error": text}))
}
