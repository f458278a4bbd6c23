//! What a request asks for, as far as it can be judged without the store.

use crate::errors::{invalid, unsupported};
use crate::logging;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::{ClientAlias, ConnectAccessLog, ConnectLogs, ServiceConnect, TestHeader};
use std::collections::BTreeSet;

/// Longest name in a namespace.
const MOST_NAME: usize = 64;
/// Longest name for clients.
const MOST_DNS_NAME: usize = 127;
/// Most services of one configuration; AWS tells no number.
const MOST_SERVICES: usize = 100;
/// Longest name and value of a header that tells test traffic; AWS tells no number.
const MOST_HEADER: usize = 256;

/// What a service asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) namespace: Option<String>,
    pub(crate) services: Vec<AskedService>,
    pub(crate) logs: Option<ConnectLogs>,
}

/// A port that it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedService {
    pub(crate) port_name: String,
    pub(crate) discovery_name: Option<String>,
    pub(crate) aliases: Vec<ClientAlias>,
    pub(crate) ingress_port: Option<u16>,
    pub(crate) idle_timeout: Option<u32>,
    pub(crate) request_timeout: Option<u32>,
}

impl AskedService {
    pub(crate) fn name(&self) -> &str {
        self.discovery_name.as_deref().unwrap_or(&self.port_name)
    }
}

impl From<&ServiceConnect> for Asked {
    /// The same once more, for another task definition.
    fn from(own: &ServiceConnect) -> Self {
        let services = own.services.iter().map(|own| AskedService {
            port_name: own.port_name.clone(),
            discovery_name: own.discovery_name.clone(),
            aliases: own.aliases.clone(),
            ingress_port: own.ingress_port,
            idle_timeout: own.idle_timeout,
            request_timeout: own.request_timeout,
        });
        Self { namespace: Some(own.given.clone()), services: services.collect(), logs: own.logs.clone() }
    }
}

/// Reads a configuration; `None` when it is switched off.
pub(crate) fn read(given: wire::ServiceConnectConfiguration) -> Result<Option<Asked>, ServiceError> {
    let wire::ServiceConnectConfiguration {
        access_log_configuration,
        enabled,
        log_configuration,
        namespace,
        services,
    } = given;
    if !enabled {
        return Ok(None);
    }
    let logs = logs(log_configuration, access_log_configuration)?;
    let services = services.unwrap_or_default();
    if services.len() > MOST_SERVICES {
        return Err(invalid(format!(
            "The Service Connect configuration can have at most {MOST_SERVICES} services."
        )));
    }
    let services = services.into_iter().map(service).collect::<Result<Vec<_>, _>>()?;
    let names: BTreeSet<&str> = services.iter().map(AskedService::name).collect();
    if names.len() < services.len() {
        return Err(invalid(
            "Two services of the Service Connect configuration have the same discoveryName. A discoveryName must be \
             unique within its namespace.",
        ));
    }
    Ok(Some(Asked { namespace: namespace.filter(|name| !name.is_empty()), services, logs }))
}

fn logs(
    given: Option<wire::LogConfiguration>,
    access: Option<wire::ServiceConnectAccessLogConfiguration>,
) -> Result<Option<ConnectLogs>, ServiceError> {
    let Some(given) = given else {
        return match access {
            Some(_) => Err(invalid("accessLogConfiguration can only be set together with logConfiguration.")),
            None => Ok(None),
        };
    };
    let configuration = logging::store(given)?;
    if configuration.driver != logging::AWSLOGS_DRIVER {
        return Err(unsupported("Service Connect with another log driver than awslogs"));
    }
    let access = access.map(|access| ConnectAccessLog {
        json: access.format == wire::ServiceConnectAccessLoggingFormat::Json,
        with_queries: access
            .include_query_parameters
            .map(|given| given == wire::ServiceConnectIncludeQueryParameters::Enabled),
    });
    Ok(Some(ConnectLogs { configuration, access }))
}

fn service(given: wire::ServiceConnectService) -> Result<AskedService, ServiceError> {
    let wire::ServiceConnectService {
        client_aliases,
        discovery_name,
        ingress_port_override,
        port_name,
        timeout,
        tls,
    } = given;
    if tls.is_some() {
        return Err(unsupported("TLS of Service Connect"));
    }
    if port_name.is_empty() {
        return Err(invalid("portName cannot be empty."));
    }
    let discovery_name = discovery_name.filter(|name| !name.is_empty());
    check_discovery_name(discovery_name.as_ref().unwrap_or(&port_name))?;
    let aliases = client_aliases.unwrap_or_default();
    if aliases.len() > 1 {
        return Err(invalid("The maximum number of clientAliases of a Service Connect service is 1."));
    }
    let timeout = timeout.unwrap_or_default();
    Ok(AskedService {
        port_name,
        discovery_name,
        aliases: aliases.into_iter().map(alias).collect::<Result<_, _>>()?,
        ingress_port: ingress_port_override.map(|given| port(given, "ingressPortOverride")).transpose()?,
        idle_timeout: seconds(timeout.idle_timeout_seconds, "idleTimeoutSeconds")?,
        request_timeout: seconds(timeout.per_request_timeout_seconds, "perRequestTimeoutSeconds")?,
    })
}

fn alias(given: wire::ServiceConnectClientAlias) -> Result<ClientAlias, ServiceError> {
    let wire::ServiceConnectClientAlias { dns_name, port: number, test_traffic_rules } = given;
    let dns_name = dns_name.filter(|name| !name.is_empty());
    if let Some(name) = &dns_name {
        check_dns_name(name)?;
    }
    let test = test_traffic_rules.map(|rules| test_header(rules.header)).transpose()?;
    Ok(ClientAlias { dns_name, port: port(number, "clientAliases.port")?, test })
}

fn test_header(given: wire::ServiceConnectTestTrafficHeaderRules) -> Result<TestHeader, ServiceError> {
    let wire::ServiceConnectTestTrafficHeaderRules { name, value } = given;
    let value = value.map(|rules| rules.exact);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > MOST_HEADER || !name.bytes().all(is_token) {
        return Err(invalid(format!("The name {name} in testTrafficRules is no name of a header.")));
    }
    let is_good = |text: &String| text.len() <= MOST_HEADER && !text.chars().any(char::is_control);
    if !value.iter().all(is_good) {
        return Err(invalid(format!(
            "The exact value for {name} in testTrafficRules is no value of a header."
        )));
    }
    Ok(TestHeader { name, value })
}

fn port(given: i32, name: &str) -> Result<u16, ServiceError> {
    let fits = u16::try_from(given).ok().filter(|port| *port > 0);
    fits.ok_or_else(|| invalid(format!("{name} must be between 1 and 65535.")))
}

fn seconds(given: Option<i32>, name: &str) -> Result<Option<u32>, ServiceError> {
    let fits = |given| u32::try_from(given).map_err(|_| invalid(format!("{name} must not be negative.")));
    given.map(fits).transpose()
}

fn check_discovery_name(name: &str) -> Result<(), ServiceError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if name.len() <= MOST_NAME && !name.starts_with('-') && name.bytes().all(plain) {
        return Ok(());
    }
    Err(invalid(format!(
        "The discoveryName {name} is not valid. It can have up to {MOST_NAME} lowercase letters, numbers, underscores \
         and hyphens, and cannot start with a hyphen."
    )))
}

fn check_dns_name(name: &str) -> Result<(), ServiceError> {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-' || byte == b'.'
    };
    let wrong = name.len() > MOST_DNS_NAME
        || !name.bytes().all(plain)
        || name.starts_with(['-', '.'])
        || name.ends_with('.')
        || name == "localhost";
    if wrong {
        return Err(invalid(format!(
            "The dnsName {name} is not valid. It can have up to {MOST_DNS_NAME} lowercase letters, numbers, \
             underscores, hyphens and periods, and cannot start with a hyphen."
        )));
    }
    Ok(())
}
