//! One message in one frame: `{"type": name, "message": body}`.

use crate::{MOST_FRAME_BYTES, acs, tcs};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Why a frame cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The frame is past the bound.
    #[error("a frame of {0} bytes is larger than {MOST_FRAME_BYTES}")]
    TooLarge(usize),
    /// The frame is not an envelope.
    #[error("the frame is not an envelope")]
    Envelope(#[source] serde_json::Error),
    /// The body does not fit its type.
    #[error("the body of {kind} does not fit the type")]
    Body {
        /// The type the envelope names.
        kind: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// Header lines that cannot be told from the JSON.
    #[error("the header lines of the frame are broken: {0}")]
    Framing(&'static str),
    /// Messages whose type is not known are only ever read.
    #[error("a message of the unknown type {0} cannot be written")]
    Unwritable(String),
}

#[derive(Serialize)]
struct Written<'a, T> {
    r#type: &'a str,
    message: &'a T,
}

#[derive(Deserialize)]
struct Read<'a> {
    r#type: String,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

fn write<T: Serialize>(kind: &str, message: &T) -> Result<String, WireError> {
    let text = serde_json::to_string(&Written { r#type: kind, message }).map_err(WireError::Envelope)?;
    if text.len() > MOST_FRAME_BYTES {
        return Err(WireError::TooLarge(text.len()));
    }
    Ok(text)
}

fn read(frame: &str) -> Result<Read<'_>, WireError> {
    if frame.len() > MOST_FRAME_BYTES {
        return Err(WireError::TooLarge(frame.len()));
    }
    serde_json::from_str(frame).map_err(WireError::Envelope)
}

fn body<'a, T: Deserialize<'a>>(kind: &str, message: Option<&'a RawValue>) -> Result<T, WireError> {
    serde_json::from_str(message.map_or("{}", RawValue::get))
        .map_err(|source| WireError::Body { kind: kind.to_owned(), source })
}

/// An enumeration of the messages that travel in one direction of one channel.
macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident($type:ty) = $kind:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($type),)*
            /// A type this version does not know, by its name.
            Unknown(String),
        }

        impl $name {
            /// Reads a frame.
            pub fn decode(frame: &str) -> Result<Self, WireError> {
                let envelope = read(frame)?;
                match envelope.r#type.as_str() {
                    $($kind => body($kind, envelope.message).map(Self::$variant),)*
                    _ => Ok(Self::Unknown(envelope.r#type)),
                }
            }

            /// Writes a frame.
            pub fn encode(&self) -> Result<String, WireError> {
                match self {
                    $(Self::$variant(message) => write($kind, message),)*
                    Self::Unknown(kind) => Err(WireError::Unwritable(kind.clone())),
                }
            }

            /// The name of the message's type.
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown(kind) => kind,
                }
            }
        }

        $(impl From<$type> for $name {
            fn from(message: $type) -> Self {
                Self::$variant(message)
            }
        })*
    };
}

messages! {
    /// What a server tells an agent on ACS.
    AcsCommand {
        /// Tasks and what is wanted of them.
        Payload(acs::PayloadMessage) = "PayloadMessage",
        /// The server is alive.
        Heartbeat(acs::HeartbeatMessage) = "HeartbeatMessage",
        /// Every task the server knows of this agent.
        TaskManifest(acs::TaskManifestMessage) = "TaskManifestMessage",
        /// Tasks of a manifest's answer that shall really stop.
        TaskStopVerificationAck(acs::TaskStopVerificationAck) = "TaskStopVerificationAck",
        /// New credentials of a task's role.
        RoleCredentials(acs::IAMRoleCredentialsMessage) = "IAMRoleCredentialsMessage",
        /// Interfaces that will appear for a task.
        AttachTaskInterfaces(acs::AttachTaskNetworkInterfacesMessage) = "AttachTaskNetworkInterfacesMessage",
        /// Interfaces that will appear for the instance.
        AttachInstanceInterfaces(acs::AttachInstanceNetworkInterfacesMessage) = "AttachInstanceNetworkInterfacesMessage",
        /// A volume that will appear.
        ConfirmAttachment(acs::ConfirmAttachmentMessage) = "ConfirmAttachmentMessage",
        /// Fetch a new agent.
        StageUpdate(acs::StageUpdateMessage) = "StageUpdateMessage",
        /// Become the new agent.
        PerformUpdate(acs::PerformUpdateMessage) = "PerformUpdateMessage",
        /// The server is about to close.
        Close(acs::CloseMessage) = "CloseMessage",
        /// Something went wrong.
        Error(acs::ErrorMessage) = "ErrorMessage",
    }
}

messages! {
    /// What an agent answers on ACS.
    AcsReply {
        /// The message with this id is taken on.
        Ack(acs::AckRequest) = "AckRequest",
        /// The message with this id is refused.
        Nack(acs::NackRequest) = "NackRequest",
        /// The agent is alive.
        HeartbeatAck(acs::HeartbeatAckRequest) = "HeartbeatAckRequest",
        /// Credentials have arrived.
        RoleCredentialsAck(acs::IAMRoleCredentialsAckRequest) = "IAMRoleCredentialsAckRequest",
        /// Tasks the agent runs and the manifest does not want.
        TaskStopVerification(acs::TaskStopVerificationMessage) = "TaskStopVerificationMessage",
    }
}

messages! {
    /// What an agent reports on TCS.
    TcsReport {
        /// Use of CPU, memory and network.
        Metrics(tcs::PublishMetricsRequest) = "PublishMetricsRequest",
        /// Results of health checks.
        Health(tcs::PublishHealthRequest) = "PublishHealthRequest",
        /// Whether the instance itself is well.
        InstanceStatus(tcs::PublishInstanceStatusRequest) = "PublishInstanceStatusRequest",
    }
}

messages! {
    /// What a server answers on TCS.
    TcsAnswer {
        /// Metrics have arrived.
        AckMetrics(tcs::AckPublishMetric) = "AckPublishMetric",
        /// Health has arrived.
        AckHealth(tcs::AckPublishHealth) = "AckPublishHealth",
        /// The instance's status has arrived.
        AckInstanceStatus(tcs::AckPublishInstanceStatus) = "AckPublishInstanceStatus",
        /// The server is alive.
        Heartbeat(tcs::HeartbeatMessage) = "HeartbeatMessage",
        /// Telemetry is not wanted any more.
        Stop(tcs::StopTelemetrySessionMessage) = "StopTelemetrySessionMessage",
    }
}

/// An answer instead of a websocket, in the form that agents decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the error, for example `InactiveInstanceException`.
    pub kind: String,
    /// What a person reads.
    pub message: String,
}

impl Refusal {
    /// As a body.
    pub fn encode(&self) -> String {
        serde_json::json!({"type": self.kind, "message": {"message": self.message}}).to_string()
    }

    /// Reads a body; `None` when it is something else.
    pub fn decode(body: &str) -> Option<Self> {
        #[derive(Deserialize, Default)]
        struct Text {
            #[serde(default)]
            message: String,
        }
        let envelope = read(body).ok()?;
        let text: Text =
            envelope.message.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        Some(Self { kind: envelope.r#type, message: text.message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_survives_the_wire() {
        let payload = acs::PayloadMessage {
            message_id: "m".to_owned(),
            seq_num: 3,
            tasks: vec![acs::Task {
                arn: "arn".to_owned(),
                cpu: 0.25,
                containers: vec![acs::Container {
                    name: "web".to_owned(),
                    environment: std::collections::BTreeMap::from([("A".to_owned(), "b".to_owned())]).into(),
                    depends_on: vec![acs::ContainerDependency {
                        container_name: "db".to_owned(),
                        condition: Some(acs::ContainerCondition::Healthy),
                    }],
                    ..acs::Container::default()
                }],
                ..acs::Task::default()
            }],
            ..acs::PayloadMessage::default()
        };
        let frame = AcsCommand::from(payload.clone()).encode().expect("encodes");
        assert!(frame.starts_with(r#"{"type":"PayloadMessage","message":{"#), "{frame}");
        assert!(frame.contains(r#""dependsOn":[{"condition":"HEALTHY","containerName":"db"}]"#), "{frame}");
        assert_eq!(AcsCommand::decode(&frame).expect("decodes"), AcsCommand::Payload(payload));
    }

    #[test]
    fn what_is_not_known_is_tolerated() {
        let frame = r#"{"type":"TomorrowMessage","message":{"a":[1]}}"#;
        assert_eq!(AcsCommand::decode(frame).expect("decodes").kind(), "TomorrowMessage");
        let frame = r#"{"type":"PayloadMessage","message":{"tasks":[{"containers":null,"new":1,
            "volumes":[{"name":"v","type":"tape"}]}],"seqNum":null}}"#;
        let AcsCommand::Payload(payload) = AcsCommand::decode(frame).expect("decodes") else {
            panic!("payload")
        };
        assert_eq!(payload.tasks[0].volumes[0].r#type, Some(acs::VolumeType::Unrecognized));
        assert!(payload.tasks[0].containers.is_empty());
        assert!(matches!(AcsCommand::decode(r#"{"type":"HeartbeatMessage"}"#), Ok(AcsCommand::Heartbeat(_))));
        assert!(matches!(AcsCommand::Unknown("x".to_owned()).encode(), Err(WireError::Unwritable(_))));
    }

    #[test]
    fn broken_frames_have_typed_errors() {
        assert!(matches!(AcsCommand::decode("nonsense"), Err(WireError::Envelope(_))));
        assert!(matches!(AcsCommand::decode(r#"{"message":{}}"#), Err(WireError::Envelope(_))));
        let wrong = r#"{"type":"PayloadMessage","message":{"tasks":3}}"#;
        assert!(matches!(AcsCommand::decode(wrong), Err(WireError::Body { .. })));
        let large = " ".repeat(MOST_FRAME_BYTES + 1);
        assert!(matches!(TcsReport::decode(&large), Err(WireError::TooLarge(_))));
    }

    #[test]
    fn refusals_and_secrets() {
        let refusal =
            Refusal { kind: "InactiveInstanceException".to_owned(), message: "not registered".to_owned() };
        assert_eq!(Refusal::decode(&refusal.encode()), Some(refusal));
        assert_eq!(Refusal::decode("<html>"), None);
        let credentials =
            acs::IAMRoleCredentials { secret_access_key: "hidden".to_owned().into(), ..Default::default() };
        assert!(!format!("{credentials:?}").contains("hidden"));
    }
}
