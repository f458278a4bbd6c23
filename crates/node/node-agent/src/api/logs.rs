//! CloudWatch Logs: what the awslogs driver calls for a task.

use super::{ApiError, TaskApi};
use environment::Timestamp;
use serde::{Deserialize, Serialize};

const SERVICE: &str = "logs";
const TARGET: &str = "Logs_20140328";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEvents<'a> {
    log_group_name: &'a str,
    log_stream_name: &'a str,
    log_events: Vec<InputEvent<'a>>,
}

#[derive(Serialize)]
struct InputEvent<'a> {
    timestamp: i64,
    message: &'a str,
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct GetLogEvents {
    #[serde(default)]
    events: Vec<OutputEvent>,
}

#[derive(Deserialize)]
struct OutputEvent {
    timestamp: i64,
    message: String,
}

impl TaskApi {
    /// CreateLogGroup.
    pub(crate) async fn create_log_group(&self, group: &str) -> Result<(), ApiError> {
        let input = serde_json::json!({"logGroupName": group});
        self.call(SERVICE, TARGET, "CreateLogGroup", &input).await.map(|Nothing {}| ())
    }

    /// CreateLogStream.
    pub(crate) async fn create_log_stream(&self, group: &str, stream: &str) -> Result<(), ApiError> {
        let input = serde_json::json!({"logGroupName": group, "logStreamName": stream});
        self.call(SERVICE, TARGET, "CreateLogStream", &input).await.map(|Nothing {}| ())
    }

    /// PutLogEvents.
    pub(crate) async fn put_log_events(
        &self,
        group: &str,
        stream: &str,
        events: &[(Timestamp, &str)],
    ) -> Result<(), ApiError> {
        let input = PutLogEvents {
            log_group_name: group,
            log_stream_name: stream,
            log_events: events
                .iter()
                .map(|(at, message)| InputEvent { timestamp: at.as_millis(), message })
                .collect(),
        };
        self.call(SERVICE, TARGET, "PutLogEvents", &input).await.map(|Nothing {}| ())
    }

    /// The last page of a stream, oldest first. The agent's own question, as execution roles may write only; so the
    /// group is named with the account of the task.
    pub(crate) async fn last_log_events(
        &self,
        group: &str,
        stream: &str,
    ) -> Result<Vec<(Timestamp, String)>, ApiError> {
        let host = self.host();
        let identifier =
            format!("arn:aws:logs:{}:{}:log-group:{group}", host.signer().region, self.account());
        let input = serde_json::json!({
            "logGroupIdentifier": identifier, "logStreamName": stream, "limit": 10_000, "startFromHead": false,
        });
        let answer: GetLogEvents = host.call(SERVICE, TARGET, "GetLogEvents", &input).await?;
        let events = answer.events.into_iter();
        Ok(events.map(|event| (Timestamp::from_millis(event.timestamp), event.message)).collect())
    }
}
