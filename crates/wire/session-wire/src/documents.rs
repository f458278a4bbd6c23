//! The JSON documents inside messages, and those that open a channel. Names and spellings are the published ones.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Session type of a command with a terminal.
pub const SESSION_TYPE_INTERACTIVE: &str = "InteractiveCommands";
/// Action of a handshake: what kind of session it is.
pub const SESSION_TYPE_ACTION: &str = "SessionType";
/// Action of a handshake: may the exit code be sent as a message of its own? The published plugin answers that it does
/// not support this action and would print the code, so it gets none.
pub const EXIT_CODE_ACTION: &str = "ExitCode";
/// State of a session that is about to end.
pub const TERMINATING: &str = "Terminating";
/// Value of a flag: the client's end of the data. In a session without a terminal it ends the standard input.
pub const FLAG_DISCONNECT_TO_PORT: u32 = 1;
/// Value of a flag: end the session.
pub const FLAG_TERMINATE_SESSION: u32 = 2;

/// First text of a client or an agent on a data channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DataOpening {
    /// `1.0`.
    pub message_schema_version: String,
    /// Random.
    pub request_id: String,
    /// What lets it in.
    pub token_value: String,
    /// Names the client.
    pub client_id: String,
    /// Its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_version: String,
    /// Of an agent, its target.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client_instance_id: String,
}

/// First text of an agent on a control channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ControlOpening {
    /// `1.0`.
    pub message_schema_version: String,
    /// Random.
    pub request_id: String,
    /// What lets it in.
    pub token_value: String,
    /// Version of the agent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_version: String,
}

/// The answer to a request for a channel, which is XML.
pub struct TokenAnswer;

impl TokenAnswer {
    /// Writes the answer of `operation`, such as `CreateDataChannel`. Tokens are plain text.
    pub fn write(operation: &str, token: &str) -> String {
        format!(
            "<{operation}Response><MessageSchemaVersion>1.0</MessageSchemaVersion>\
             <TokenValue>{token}</TokenValue></{operation}Response>"
        )
    }

    /// The token of an answer.
    pub fn token(answer: &str) -> Option<&str> {
        let (_, rest) = answer.split_once("<TokenValue>")?;
        rest.split_once("</TokenValue>").map(|(token, _)| token)
    }
}

/// A message of a stream has arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Its type.
    #[serde(rename = "AcknowledgedMessageType")]
    pub kind: String,
    /// Its id.
    #[serde(rename = "AcknowledgedMessageId")]
    pub id: String,
    /// Its place in the stream.
    #[serde(rename = "AcknowledgedMessageSequenceNumber")]
    pub sequence: i64,
    /// It belongs to a stream.
    #[serde(rename = "IsSequentialMessage")]
    pub sequential: bool,
}

/// A session is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChannelClosed {
    /// Its id.
    pub message_id: String,
    /// Milliseconds since the epoch, as text.
    pub created_date: String,
    /// The target of the session.
    pub destination_id: String,
    /// The session.
    pub session_id: String,
    /// `channel_closed`.
    pub message_type: String,
    /// 1.
    pub schema_version: i32,
    /// Why, where it did not end by itself.
    pub output: String,
}

/// Where a session stands, as its agent sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SessionState {
    /// 1.
    pub schema_version: i32,
    /// `Connected` or [`TERMINATING`].
    pub session_state: String,
    /// The session.
    pub session_id: String,
}

/// Size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub cols: u32,
    /// Rows.
    pub rows: u32,
}

/// What an agent asks of a client before the session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HandshakeRequest {
    /// Version of the agent.
    pub agent_version: String,
    /// In order.
    #[serde(default)]
    pub requested_client_actions: Vec<Action>,
}

/// One thing that an agent asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Action {
    /// What.
    pub action_type: String,
    /// How.
    #[serde(default)]
    pub action_parameters: Value,
}

/// A client's answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HandshakeResponse {
    /// Version of the client.
    pub client_version: String,
    /// One for each that was asked. The published plugin may leave the list out.
    #[serde(deserialize_with = "or_none")]
    pub processed_client_actions: Vec<Processed>,
    /// Texts of errors.
    #[serde(deserialize_with = "or_none")]
    pub errors: Vec<String>,
}

/// A client's answer to one thing that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Processed {
    /// What.
    pub action_type: String,
    /// 1 done, 2 failed, 3 not supported. For what it does not know the published plugin says 0.
    pub action_status: i32,
    /// With what result.
    pub action_result: Value,
    /// What went wrong.
    pub error: String,
}

impl HandshakeResponse {
    /// Whether the client did what was asked.
    pub fn did(&self, action: &str) -> bool {
        self.processed_client_actions.iter().any(|done| done.action_type == action && done.action_status == 1)
    }
}

/// The session begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HandshakeComplete {
    /// Nanoseconds it took.
    pub handshake_time_to_complete: i64,
    /// For the person at the terminal.
    pub customer_message: String,
}

/// On a control channel: begin a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionOrder {
    /// The session.
    pub session_id: String,
    /// The command line, with the quoting of a shell.
    pub command: String,
    /// Who asked for it.
    pub owner: String,
    /// Where its output is kept.
    pub logs: Option<LogTarget>,
}

/// A log group of CloudWatch Logs; the stream has the name of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTarget {
    /// The group.
    pub group: String,
}

/// Payload of [`crate::Kind::InteractiveShell`]: a document inside a document.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    content: String,
    task_id: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    schema_version: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrderContent {
    #[serde(default)]
    document_name: String,
    document_content: OrderDocument,
    session_id: String,
    #[serde(default)]
    parameters: Value,
    #[serde(default)]
    run_as_user: String,
    #[serde(default)]
    session_owner: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderDocument {
    #[serde(default)]
    schema_version: String,
    #[serde(default)]
    description: String,
    session_type: String,
    #[serde(default)]
    inputs: OrderInputs,
    #[serde(default)]
    properties: OrderProperties,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OrderInputs {
    s3_bucket_name: String,
    s3_key_prefix: String,
    s3_encryption_enabled: bool,
    cloud_watch_log_group_name: String,
    cloud_watch_encryption_enabled: bool,
    cloud_watch_streaming_enabled: bool,
    kms_key_id: String,
}

#[derive(Default, Serialize, Deserialize)]
struct OrderProperties {
    #[serde(default)]
    linux: OrderCommands,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OrderCommands {
    commands: String,
    run_as_elevated: bool,
}

impl SessionOrder {
    /// As the payload of a message.
    pub fn write(&self) -> Result<String, serde_json::Error> {
        let content = OrderContent {
            document_name: "AmazonECS-ExecuteInteractiveCommand".to_owned(),
            document_content: OrderDocument {
                schema_version: "1.0".to_owned(),
                description: "A command in a container of a task".to_owned(),
                session_type: SESSION_TYPE_INTERACTIVE.to_owned(),
                inputs: OrderInputs {
                    cloud_watch_log_group_name: self
                        .logs
                        .as_ref()
                        .map_or_else(String::new, |to| to.group.clone()),
                    ..OrderInputs::default()
                },
                properties: OrderProperties {
                    linux: OrderCommands { commands: self.command.clone(), run_as_elevated: true },
                },
            },
            session_id: self.session_id.clone(),
            parameters: Value::Object(serde_json::Map::new()),
            run_as_user: String::new(),
            session_owner: self.owner.clone(),
        };
        serde_json::to_string(&Order {
            content: serde_json::to_string(&content)?,
            task_id: self.session_id.clone(),
            topic: "interactive_shell".to_owned(),
            schema_version: 1,
        })
    }

    /// Reads the payload of a message; other types of session are refused.
    pub fn read(payload: &[u8]) -> Result<Self, serde_json::Error> {
        let order: Order = serde_json::from_slice(payload)?;
        let content: OrderContent = serde_json::from_str(&order.content)?;
        let document = content.document_content;
        if document.session_type != SESSION_TYPE_INTERACTIVE {
            let text = format!("sessions of type {} are not supported", document.session_type);
            return Err(serde::de::Error::custom(text));
        }
        let group = document.inputs.cloud_watch_log_group_name;
        Ok(Self {
            session_id: content.session_id,
            command: document.properties.linux.commands,
            owner: content.session_owner,
            logs: (!group.is_empty()).then_some(LogTarget { group }),
        })
    }
}

/// On a control channel: an agent has a session no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaskComplete {
    /// 1.
    pub schema_version: i32,
    /// The session.
    pub task_id: String,
    /// `interactive_shell`.
    pub topic: String,
    /// `Success` or `Failed`.
    pub final_task_status: String,
    /// Why it failed.
    pub output: String,
}

fn or_none<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_documents_in_documents() {
        let order = SessionOrder {
            session_id: "ecs-execute-command-0228164ca8ff6e2c1".to_owned(),
            command: "sh -c 'echo \"hi\"'".to_owned(),
            owner: "arn:aws:iam::123456789012:root".to_owned(),
            logs: Some(LogTarget { group: "sessions".to_owned() }),
        };
        let text = order.write().expect("writes");
        assert_eq!(SessionOrder::read(text.as_bytes()).expect("reads"), order);
        let outer: Value = serde_json::from_str(&text).expect("JSON");
        let inner: Value = serde_json::from_str(outer["Content"].as_str().expect("a text")).expect("JSON");
        assert_eq!(inner["DocumentContent"]["sessionType"], "InteractiveCommands");
        assert_eq!(inner["DocumentContent"]["properties"]["linux"]["commands"], order.command);
        let other = text.replace("InteractiveCommands", "Port");
        assert!(SessionOrder::read(other.as_bytes()).is_err());
    }

    #[test]
    fn what_the_published_plugin_answers_is_read() {
        let text = r#"{"ClientVersion":"1.2.650.0","ProcessedClientActions":[
            {"ActionType":"SessionType","ActionStatus":1,"ActionResult":null,"Error":""},
            {"ActionType":"ExitCode","ActionStatus":0,"ActionResult":3,"Error":"Unsupported action ExitCode"}],
            "Errors":["Unsupported action ExitCode"]}"#;
        let response: HandshakeResponse = serde_json::from_str(text).expect("reads");
        assert!(response.did(SESSION_TYPE_ACTION) && !response.did(EXIT_CODE_ACTION));
        let short: HandshakeResponse =
            serde_json::from_str(r#"{"ClientVersion":"1","ProcessedClientActions":null,"Errors":null}"#)
                .expect("reads");
        assert!(!short.did(SESSION_TYPE_ACTION));
    }

    #[test]
    fn tokens_are_found_in_xml() {
        let answer = TokenAnswer::write("CreateDataChannel", "t0ken");
        assert_eq!(TokenAnswer::token(&answer), Some("t0ken"));
        assert_eq!(TokenAnswer::token("<Error/>"), None);
    }
}
