//! Service Connect as the API shows it.

use crate::logging;
use crate::shapes as wire;
use aws_wire::RequestContext;
use identifiers::Arn;
use resources::ecs::{ClientAlias, ConnectAccessLog, ConnectService, ServiceConnect, TestHeader};

/// The configuration, as it was given.
pub(crate) fn configuration(own: &ServiceConnect) -> wire::ServiceConnectConfiguration {
    wire::ServiceConnectConfiguration {
        enabled: true,
        namespace: Some(own.given.clone()),
        services: Some(own.services.iter().map(service).collect()),
        log_configuration: own.logs.as_ref().map(|logs| logging::render(&logs.configuration)),
        access_log_configuration: own.logs.as_ref().and_then(|logs| logs.access).map(access_log),
    }
}

fn access_log(own: ConnectAccessLog) -> wire::ServiceConnectAccessLogConfiguration {
    use wire::{
        ServiceConnectAccessLoggingFormat as Format, ServiceConnectIncludeQueryParameters as Queries,
    };
    wire::ServiceConnectAccessLogConfiguration {
        format: if own.json { Format::Json } else { Format::Text },
        include_query_parameters: own
            .with_queries
            .map(|with| if with { Queries::Enabled } else { Queries::Disabled }),
    }
}

fn service(own: &ConnectService) -> wire::ServiceConnectService {
    let number = |seconds: Option<u32>| seconds.and_then(|seconds| i32::try_from(seconds).ok());
    let timeout = wire::TimeoutConfiguration {
        idle_timeout_seconds: number(own.idle_timeout),
        per_request_timeout_seconds: number(own.request_timeout),
    };
    let is_told = own.idle_timeout.is_some() || own.request_timeout.is_some();
    wire::ServiceConnectService {
        port_name: own.port_name.clone(),
        discovery_name: own.discovery_name.clone(),
        client_aliases: (!own.aliases.is_empty()).then(|| own.aliases.iter().map(alias).collect()),
        ingress_port_override: own.ingress_port.map(i32::from),
        timeout: is_told.then_some(timeout),
        ..wire::ServiceConnectService::default()
    }
}

fn alias(own: &ClientAlias) -> wire::ServiceConnectClientAlias {
    let rules = |own: &TestHeader| wire::ServiceConnectTestTrafficRules {
        header: wire::ServiceConnectTestTrafficHeaderRules {
            name: own.name.clone(),
            value: own.value.clone().map(|exact| wire::ServiceConnectTestTrafficHeaderMatchRules { exact }),
        },
    };
    wire::ServiceConnectClientAlias {
        port: i32::from(own.port),
        dns_name: own.dns_name.clone(),
        test_traffic_rules: own.test.as_ref().map(rules),
    }
}

/// The services of Cloud Map that it has.
pub(crate) fn resources(
    context: &RequestContext,
    own: &ServiceConnect,
) -> Vec<wire::ServiceConnectServiceResource> {
    let resource = |own: &ConnectService| wire::ServiceConnectServiceResource {
        discovery_name: Some(own.name().to_owned()),
        discovery_arn: Some(
            Arn::new(
                "servicediscovery",
                &context.region,
                &context.account,
                format!("service/{}", own.service),
            )
            .to_string(),
        ),
    };
    own.services.iter().map(resource).collect()
}
