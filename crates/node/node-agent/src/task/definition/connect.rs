//! What a payload says about Service Connect: the task has a proxy, and its containers know names.

use super::{InvalidTask, volumes::property};
use crate::engine::ProxyPlan;
use agent_wire::acs;
use serde::Deserialize;
use std::net::Ipv4Addr;

/// The attachment that brings it, as the published agent names it.
const CONNECT: &str = "serviceconnectdetail";

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "dnsConfig", default)]
    names: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    #[serde(rename = "hostName")]
    name: String,
    address: Ipv4Addr,
}

/// The proxy of a task, if it has one.
pub(super) fn read(task: &acs::Task) -> Result<Option<ProxyPlan>, InvalidTask> {
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
    Ok(Some(ProxyPlan { names: names.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::testing::{container, payload};

    #[test]
    fn names_come_with_the_attachment() {
        let mut task = payload(vec![container("main")]);
        assert_eq!(read(&task).expect("reads"), None);
        let attachment = |config: &str| acs::Attachment {
            attachment_type: CONNECT.to_owned(),
            attachment_properties: vec![acs::AttachmentProperty {
                name: "ServiceConnectConfig".to_owned(),
                value: config.to_owned(),
            }],
            ..acs::Attachment::default()
        };
        let config = r#"{"egressConfig":{"listenerName":"egress","vip":{"ipv4Cidr":"127.255.0.0/16"}},
            "dnsConfig":[{"hostName":"backend","address":"127.255.0.1"}],"ingressConfig":[]}"#;
        task.attachments = vec![attachment(config)];
        let names = vec![("backend".to_owned(), "127.255.0.1".to_owned())];
        assert_eq!(read(&task).expect("reads"), Some(ProxyPlan { names }));
        for wrong in ["", "{", r#"{"dnsConfig":[{"hostName":"a\nb","address":"127.255.0.1"}]}"#] {
            task.attachments = vec![attachment(wrong)];
            assert!(read(&task).is_err(), "{wrong}");
        }
    }
}
