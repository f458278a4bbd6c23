//! Operations of this region's own services, called with the credentials of the target's role.

use super::{RegionTargets, failed, refused};
use access::SessionCredentials;
use aws_wire::sigv4::{Signer, sign};
use bytes::Bytes;
use controllers::TargetError;
use http_body_util::{BodyExt, Full, Limited};
use resources::events::{Delivery, EcsParameters, Input, Sender};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const MOST_BYTES: usize = 1 << 20;
/// Most characters of `startedBy`.
const STARTED_BY: usize = 128;
/// What stands for the number of the attempt in the input of a schedule.
const ATTEMPT: &str = "<aws.scheduler.attempt-number>";
/// What an input may override.
const OVERRIDES: [&str; 6] =
    ["containerOverrides", "cpu", "ephemeralStorage", "executionRoleArn", "memory", "taskRoleArn"];

impl RegionTargets {
    /// RunTask. The delivery's id is the client token, so that a repetition starts nothing anew.
    pub(super) async fn run_task(&self, delivery: &Delivery) -> Result<(), TargetError> {
        let Some(ecs) = &delivery.target.ecs else { return Err(refused("the target has no EcsParameters")) };
        let credentials = self.assume(delivery).await?;
        let request = run_task_request(delivery, ecs);
        let target = "AmazonEC2ContainerServiceV20141113.RunTask";
        let answer = self.call(&credentials, ("ecs", target), &request).await?;
        match answer["failures"].as_array().and_then(|failures| failures.first()) {
            Some(failure) => {
                Err(failed(format!("RunTask: {}", failure["reason"].as_str().unwrap_or("failed"))))
            }
            None => Ok(()),
        }
    }

    /// PutEvents.
    pub(super) async fn put_event(&self, delivery: &Delivery) -> Result<(), TargetError> {
        let Some((source, detail_type)) = &delivery.target.event else {
            return Err(refused("the target names no source and detail type"));
        };
        let credentials = self.assume(delivery).await?;
        let request = json!({"Entries": [{
            "EventBusName": delivery.target.arn,
            "Source": source,
            "DetailType": detail_type,
            "Detail": delivery.input.replace(ATTEMPT, &(delivery.attempts + 1).to_string()),
            "Resources": [delivery.source_arn],
        }]});
        let answer = self.call(&credentials, ("events", "AWSEvents.PutEvents"), &request).await?;
        match answer["Entries"][0]["ErrorCode"].as_str() {
            Some(code) => {
                let message = answer["Entries"][0]["ErrorMessage"].as_str().unwrap_or_default();
                Err(refused(format!("PutEvents: {code}: {message}")))
            }
            None => Ok(()),
        }
    }

    /// Calls a JSON operation of this region.
    async fn call(
        &self,
        credentials: &SessionCredentials,
        (service, target): (&str, &str),
        input: &Value,
    ) -> Result<Value, TargetError> {
        let signer = Signer {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.expose().to_owned(),
            session_token: Some(credentials.session_token.expose().to_owned()),
            region: self.region.to_string(),
        };
        let broken = |error: &dyn std::fmt::Display| refused(format!("the request cannot be made: {error}"));
        let body = Bytes::from(input.to_string());
        let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
        let request = http::Request::post(format!("{}/", self.endpoint))
            .header("host", host)
            .header("content-type", aws_wire::json::CONTENT_TYPE)
            .header("user-agent", "events.amazonaws.com")
            .header("x-amz-target", target);
        let (mut parts, ()) = request.body(()).map_err(|error| broken(&error))?.into_parts();
        sign(&mut parts, &body, &signer, service, self.environment.now()).map_err(|error| broken(&error))?;
        let request = http::Request::from_parts(parts, Full::new(body));
        let operation = target.rsplit('.').next().unwrap_or(target);
        let answer = tokio::select! {
            answer = self.http.request(request) => answer.map_err(|error| failed(format!("{operation}: {error}")))?,
            () = self.environment.sleep(ANSWER) => return Err(failed(format!("{operation} does not answer in time"))),
        };
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| failed(format!("{operation}: {error}")))?.to_bytes();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let code = value["__type"].as_str().unwrap_or("error");
        let message = value["message"].as_str().or(value["Message"].as_str()).unwrap_or_default();
        let reason = format!("{operation}: {code}: {message}");
        let later = status.is_server_error() || code.contains("Throttl") || code.contains("TooManyRequests");
        Err(if later { failed(reason) } else { refused(reason) })
    }
}

/// What is asked of ECS.
fn run_task_request(delivery: &Delivery, ecs: &EcsParameters) -> Value {
    let prefix = match delivery.sender {
        Sender::Rule => "events-rule",
        Sender::Schedule => "chronos-schedule",
    };
    let started_by: String = format!("{prefix}/{}", delivery.source_name).chars().take(STARTED_BY).collect();
    let mut request = json!({
        "cluster": delivery.target.arn,
        "taskDefinition": ecs.task_definition_arn,
        "count": ecs.count,
        "startedBy": started_by,
        "clientToken": delivery.id,
    });
    let Some(members) = request.as_object_mut() else { return request };
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    set("launchType", ecs.launch_type.clone().map(Value::from));
    set("platformVersion", ecs.platform_version.clone().map(Value::from));
    set("group", ecs.group.clone().map(Value::from));
    set("referenceId", ecs.reference_id.clone().map(Value::from));
    set("enableECSManagedTags", ecs.managed_tags.then_some(Value::Bool(true)));
    set("enableExecuteCommand", ecs.execute_command.then_some(Value::Bool(true)));
    set("propagateTags", ecs.propagate_tags.then(|| json!("TASK_DEFINITION")));
    let strategy = ecs
        .strategy
        .iter()
        .map(|item| json!({"capacityProvider": item.provider, "weight": item.weight, "base": item.base}));
    set("capacityProviderStrategy", (!ecs.strategy.is_empty()).then(|| strategy.collect()));
    let tags = ecs.tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
    set("tags", (!ecs.tags.is_empty()).then(|| tags.collect()));
    let network = ecs.network.as_ref().map(|network| {
        let mut vpc = json!({"subnets": network.subnets, "securityGroups": network.security_groups});
        if let Some(assign) = &network.assign_public_ip {
            vpc["assignPublicIp"] = json!(assign);
        }
        json!({"awsvpcConfiguration": vpc})
    });
    set("networkConfiguration", network);
    set("overrides", overrides(delivery));
    request
}

/// What the input overrides. The event itself overrides nothing, whatever its members are called.
fn overrides(delivery: &Delivery) -> Option<Value> {
    if delivery.target.input == Input::Event {
        return None;
    }
    let input: Map<String, Value> = serde_json::from_str(&delivery.input).ok()?;
    let known: Map<String, Value> =
        input.into_iter().filter(|(name, _)| OVERRIDES.contains(&name.as_str())).collect();
    (!known.is_empty()).then_some(Value::Object(known))
}
