//! Log groups, written to as EventBridge does.
//!
//! The account's resource policies of CloudWatch Logs must let `events.amazonaws.com` or `delivery.logs.amazonaws.com`
//! create streams and put events. What a rule sends in a day is in one stream, `RULE/YYYY-MM-DD`.

use super::{RegionTargets, failed, refused};
use api_logs::shapes::{CreateLogStreamRequest, InputLogEvent, Logs, PutLogEventsRequest};
use aws_wire::{Extensions, Fault, RequestContext, ServiceError};
use controllers::TargetError;
use resources::events::Delivery;
use resources::logs::ResourcePolicy;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};

/// Services that policies name for EventBridge.
const SERVICES: [&str; 2] = ["events.amazonaws.com", "delivery.logs.amazonaws.com"];

impl RegionTargets {
    pub(super) async fn write_log(&self, delivery: &Delivery, group: &str) -> Result<(), TargetError> {
        let group = group.strip_suffix(":*").unwrap_or(group);
        self.require_policy(delivery, group).await?;
        let context = self.context(delivery);
        let date = delivery.accepted_at.to_rfc3339().get(..10).unwrap_or_default().to_owned();
        let stream = format!("{}/{date}", delivery.source_name);
        let create =
            CreateLogStreamRequest { log_group_name: group.to_owned(), log_stream_name: stream.clone() };
        match self.logs.create_log_stream(&context, create).await {
            Err(error) if error.shape.name != "ResourceAlreadyExistsException" => return Err(of(&error)),
            _ => {}
        }
        let (timestamp, message) = log_event(delivery);
        let request = PutLogEventsRequest {
            log_group_name: group.to_owned(),
            log_stream_name: stream,
            log_events: vec![InputLogEvent { timestamp, message }],
            ..PutLogEventsRequest::default()
        };
        let answer = self.logs.put_log_events(&context, request).await.map_err(|error| of(&error))?;
        match answer.rejected_log_events_info {
            Some(_) => Err(refused("CloudWatch Logs rejects the time of the event")),
            None => Ok(()),
        }
    }

    async fn require_policy(&self, delivery: &Delivery, group: &str) -> Result<(), TargetError> {
        let prefix = ResourcePolicy::key_of(delivery.account.as_str(), "");
        let rows = self.tables.list_all::<ResourcePolicy>(&prefix).await;
        let rows = rows.map_err(|error| failed(error.to_string()))?;
        let policies: Vec<&str> = rows.iter().map(|row| row.document.as_str()).collect();
        let resource = format!("arn:aws:logs:{}:{}:log-group:{group}:*", self.region, delivery.account);
        for service in SERVICES {
            let allowed = |action: &str| {
                let asked = (service, action, resource.as_str());
                self.access.policies_allow_service(&policies, asked, &delivery.source_arn)
            };
            let all = [allowed("logs:CreateLogStream"), allowed("logs:PutLogEvents")];
            if all.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| failed(error.to_string()))?
                == [true, true]
            {
                return Ok(());
            }
        }
        Err(refused(format!("no resource policy of CloudWatch Logs lets {} write to {group}", SERVICES[0])))
    }

    fn context(&self, delivery: &Delivery) -> RequestContext {
        RequestContext {
            account: delivery.account.clone(),
            region: self.region.clone(),
            principal_arn: SERVICES[0].into(),
            principal_id: SERVICES[0].into(),
            request_id: delivery.event_id.as_str().into(),
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "".into(),
            time: self.environment.now(),
            extensions: Extensions::new(),
        }
    }
}

/// The time and the text of the log event: as a transformer makes them, or the input itself.
fn log_event(delivery: &Delivery) -> (i64, String) {
    let value: Value = serde_json::from_str(&delivery.input).unwrap_or_default();
    let members = value.as_object().filter(|object| object.len() == 2);
    let made =
        members.and_then(|members| Some((members.get("timestamp")?.as_i64()?, members.get("message")?)));
    match made {
        Some((timestamp, Value::String(message))) => (timestamp, message.clone()),
        Some((timestamp, message)) => (timestamp, message.to_string()),
        None => (delivery.accepted_at.as_millis(), delivery.input.clone()),
    }
}

fn of(error: &ServiceError) -> TargetError {
    let reason = format!("{}: {}", error.shape.name, error.message);
    if error.shape.fault == Fault::Receiver { failed(reason) } else { refused(reason) }
}
