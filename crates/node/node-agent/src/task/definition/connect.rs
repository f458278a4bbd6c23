//! What a payload says about Service Connect: the task has a proxy, and its containers know names.

use super::{InvalidTask, volumes::property};
use crate::engine::ProxyPlan;
use crate::logs::AwsLogs;
use agent_wire::acs;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Name of the proxy in the names of streams.
const PROXY_NAME: &str = "ecs-service-connect";
/// The attachment that brings it, as the published agent names it.
const CONNECT: &str = "serviceconnectdetail";

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "dnsConfig", default)]
    names: Vec<Name>,
    /// Options of the awslogs driver.
    #[serde(rename = "logOptions")]
    logs: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "hostName")]
    name: String,
    address: Ipv4Addr,
}

/// The proxy of a task, if it has one.
pub(super) fn read(task: &acs::Task, id: &str) -> Result<Option<ProxyPlan>, InvalidTask> {
    let attachment = task.attachments.iter().find(|own| own.attachment_type == CONNECT);
    let Some(attachment) = attachment else { return Ok(None) };
    let text = property(attachment, "ServiceConnectConfig").unwrap_or_default();
    let config: Config = serde_json::from_str(text)
        .map_err(|error| InvalidTask::Wrong(format!("the ServiceConnectConfig makes no sense: {error}")))?;
    // They become lines of a file.
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if let Some(wrong) = config.names.iter().find(|own| own.name.is_empty() || !own.name.bytes().all(plain)) {
        return Err(InvalidTask::Wrong(format!("{:?} cannot be a name of Service Connect", wrong.name)));
    }
    let names = config.names.into_iter().map(|own| (own.name, own.address.to_string()));
    let logs = config.logs.map(|options| AwsLogs::read(&options, PROXY_NAME, id)).transpose();
    let logs = logs.map_err(|source| InvalidTask::Logs { container: PROXY_NAME.to_owned(), source })?;
    Ok(Some(ProxyPlan { names: names.collect(), logs }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::testing::{container, payload};

    #[test]
    fn names_come_with_the_attachment() {
        let mut task = payload(vec![container("main")]);
        assert_eq!(read(&task, "t").expect("reads"), None);
        let attachment = |config: &str| acs::Attachment {
            attachment_type: CONNECT.to_owned(),
            attachment_properties: vec![acs::AttachmentProperty {
                name: "ServiceConnectConfig".to_owned(),
                value: config.to_owned(),
            }],
            ..acs::Attachment::default()
        };
        let config = r#"{"egressConfig":{"listenerName":"egress","vip":{"ipv4Cidr":"127.255.0.0/16"}},
            "dnsConfig":[{"hostName":"backend","address":"127.255.0.1"}],"ingressConfig":[],
            "logOptions":{"awslogs-group":"/g","awslogs-stream-prefix":"p"}}"#;
        task.attachments = vec![attachment(config)];
        let plan = read(&task, "t").expect("reads").expect("is one");
        assert_eq!(plan.names, [("backend".to_owned(), "127.255.0.1".to_owned())]);
        assert_eq!(plan.logs.expect("are told").stream, "p/ecs-service-connect/t");
        for wrong in [
            "",
            "{",
            r#"{"dnsConfig":[{"hostName":"a\nb","address":"127.255.0.1"}]}"#,
            r#"{"logOptions":{}}"#,
        ] {
            task.attachments = vec![attachment(wrong)];
            assert!(read(&task, "t").is_err(), "{wrong}");
        }
    }
}
