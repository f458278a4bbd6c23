//! Service Connect of tasks, as agents get it: which names stand for which addresses inside of the task, and at which ports
//! the proxy listens. Which tasks are behind a name does not go this way, with the published agent neither.

use super::volumes::property;
use agent_wire::acs;
use resources::ecs::Task;
use serde_json::json;

/// The attachment of a task with a proxy.
pub(super) fn attachment(task: &Task) -> Option<acs::Attachment> {
    let connect = task.connect.as_ref()?;
    let names: Vec<_> = connect
        .addresses()
        .into_iter()
        .map(|(name, address)| json!({ "hostName": name, "address": address.to_string() }))
        .collect();
    let ingress: Vec<_> = connect
        .ingress
        .iter()
        .map(|own| json!({ "listenerName": format!("ingress/{}", own.discovery_name), "listenerPort": own.listen }))
        .collect();
    let options = connect.logs.as_ref().map(|logs| &logs.configuration.options);
    let config = json!({
        "egressConfig": { "listenerName": "egress", "vip": { "ipv4Cidr": "127.255.0.0/16" } },
        "dnsConfig": names,
        "ingressConfig": ingress,
        "logOptions": options,
    });
    Some(acs::Attachment {
        attachment_type: "serviceconnectdetail".to_owned(),
        attachment_properties: vec![property("ServiceConnectConfig", config.to_string())],
        ..acs::Attachment::default()
    })
}
