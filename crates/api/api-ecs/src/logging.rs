//! Where the output of containers goes: log drivers, and the containers that route for others.

use crate::errors::client;
use crate::refuse::refuse;
use crate::secrets;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ecs::{ContainerDefinition, Firelens, LogConfiguration};
use std::collections::BTreeMap;

/// The driver that hands output to a container of the same task.
const FIRELENS: &str = "awsfirelens";
/// The driver that hands output to CloudWatch Logs.
pub(crate) const AWSLOGS_DRIVER: &str = "awslogs";
/// Options of the awslogs driver that are honoured.
const AWSLOGS: &[&str] = &[
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream-prefix",
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-multiline-pattern",
    "mode",
    "max-buffer-size",
];
const AWSLOGS_REQUIRED: &[&str] = &["awslogs-group", "awslogs-region", "awslogs-stream-prefix"];
/// Options of the splunk driver that are honoured.
const SPLUNK: &[&str] = &[
    "splunk-token",
    "splunk-url",
    "splunk-source",
    "splunk-sourcetype",
    "splunk-index",
    "splunk-format",
    "splunk-verify-connection",
    "tag",
    "mode",
    "max-buffer-size",
];
const SPLUNK_REQUIRED: &[&str] = &["splunk-token", "splunk-url"];
/// Options of a routing container.
const ROUTER: &[&str] = &["enable-ecs-log-metadata", "config-file-type", "config-file-value"];

/// Checks the log configuration of a container.
pub(crate) fn store(input: wire::LogConfiguration) -> Result<LogConfiguration, ServiceError> {
    let wire::LogConfiguration { log_driver, options, secret_options } = input;
    let driver = log_driver.as_str();
    let options = options.unwrap_or_default();
    let secret_options = secrets::store(secret_options)?;
    let named =
        |name: &str| options.contains_key(name) || secret_options.iter().any(|secret| secret.name == name);
    if let Some(twice) = secret_options.iter().find(|secret| options.contains_key(&secret.name)) {
        return Err(client(format!("Log driver {driver} has the option {} twice.", twice.name)));
    }
    let (known, required) = match log_driver {
        wire::LogDriver::Awslogs => (AWSLOGS, AWSLOGS_REQUIRED),
        wire::LogDriver::Splunk => (SPLUNK, SPLUNK_REQUIRED),
        // Every option is one of the plugin that the router sends with.
        wire::LogDriver::Awsfirelens => (&[][..], &[][..]),
        _ => {
            return Err(client(format!(
                "The log driver {driver} is not supported for the Fargate launch type; awslogs, splunk and awsfirelens \
                 are."
            )));
        }
    };
    if let Some(missing) = required.iter().find(|name| !named(name)) {
        return Err(client(format!("Log driver {driver} requires options: {missing}")));
    }
    let mut names = options.keys().chain(secret_options.iter().map(|secret| &secret.name));
    let unknown = names.find(|name| driver != FIRELENS && !known.contains(&name.as_str()));
    if let Some(unknown) = unknown {
        return Err(client(format!("Log driver {driver} disallows options: {unknown}")));
    }
    if driver == AWSLOGS_DRIVER {
        if let Some(secret) = secret_options.first() {
            return Err(client(format!("Log driver awslogs disallows secretOptions: {}", secret.name)));
        }
        if named("awslogs-datetime-format") && named("awslogs-multiline-pattern") {
            return Err(client(
                "You cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time",
            ));
        }
    }
    check_mode(&options)?;
    Ok(LogConfiguration { driver: driver.to_owned(), options, secret_options })
}

fn check_mode(options: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    match options.get("mode").map(String::as_str) {
        None | Some("blocking" | "non-blocking") => Ok(()),
        Some(other) => Err(client(format!("logging mode must be blocking or non-blocking, not {other}"))),
    }
}

/// Checks what a routing container is told.
pub(crate) fn store_router(input: wire::FirelensConfiguration) -> Result<Firelens, ServiceError> {
    let wire::FirelensConfiguration { options, r#type } = input;
    let given = options.clone().unwrap_or_default();
    if let Some(unknown) = given.keys().find(|name| !ROUTER.contains(&name.as_str())) {
        return Err(client(format!("Invalid option '{unknown}' in firelensConfiguration.")));
    }
    let flag = given.get("enable-ecs-log-metadata").map(String::as_str);
    if !matches!(flag, None | Some("true" | "false")) {
        return Err(client("enable-ecs-log-metadata must be true or false."));
    }
    match (given.get("config-file-type").map(String::as_str), given.get("config-file-value")) {
        (None, None) => {}
        (Some("s3"), _) => refuse(true, "firelensConfiguration.options.config-file-type=s3")?,
        (Some("file"), Some(path)) if path.starts_with('/') && !path.contains(['\n', '\r']) => {}
        (Some("file"), _) => {
            return Err(client("config-file-value must be the path of a file in the container."));
        }
        (Some(_) | None, _) => return Err(client("config-file-type must be s3 or file.")),
    }
    Ok(Firelens { kind: r#type.as_str().to_owned(), options })
}

/// Output is routed by one container, and a router has something to route.
pub(crate) fn check_routers(containers: &[ContainerDefinition]) -> Result<(), ServiceError> {
    let routes = |container: &&ContainerDefinition| {
        container.log_configuration.as_ref().is_some_and(|log| log.driver == FIRELENS)
    };
    let routers: Vec<&ContainerDefinition> =
        containers.iter().filter(|container| container.firelens.is_some()).collect();
    let is_routed = containers.iter().any(|container| routes(&container));
    match routers.as_slice() {
        [] if is_routed => Err(client(
            "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be \
             configured in one of the containers.",
        )),
        [router] if routes(router) => {
            Err(client("The log driver of the container with a firelensConfiguration cannot be awsfirelens."))
        }
        [_] if !is_routed => Err(client(
            "When a firelensConfiguration object is specified, at least one container has to be configured with the \
             awsfirelens log driver.",
        )),
        [] | [_] => Ok(()),
        [..] => Err(client("Only one container of a task definition can have a firelensConfiguration.")),
    }
}

/// A stored log configuration as the API shows it.
pub(crate) fn render(log: &LogConfiguration) -> wire::LogConfiguration {
    wire::LogConfiguration {
        log_driver: log.driver.parse().unwrap_or_default(),
        options: Some(log.options.clone()),
        secret_options: Some(secrets::render(&log.secret_options).unwrap_or_default()),
    }
}

/// What a routing container was told, as the API shows it.
pub(crate) fn render_router(firelens: &Firelens) -> wire::FirelensConfiguration {
    wire::FirelensConfiguration {
        r#type: firelens.kind.parse().unwrap_or_default(),
        options: firelens.options.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    fn log(driver: wire::LogDriver, options: &[(&str, &str)]) -> wire::LogConfiguration {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        wire::LogConfiguration { log_driver: driver, options: Some(options), secret_options: None }
    }

    #[test]
    fn drivers_of_fargate_and_their_options() {
        let refused = |given| code(store(given)).1;
        for driver in [wire::LogDriver::Gelf, wire::LogDriver::JsonFile, wire::LogDriver::Syslog] {
            assert!(refused(log(driver, &[])).contains("is not supported for the Fargate launch type"));
        }
        let splunk = [("splunk-url", "http://h:8088"), ("splunk-token", "t")];
        assert!(store(log(wire::LogDriver::Splunk, &splunk)).is_ok());
        assert!(
            refused(log(wire::LogDriver::Splunk, &splunk[..1])).ends_with("requires options: splunk-token")
        );
        let mut secret = log(wire::LogDriver::Splunk, &splunk[..1]);
        secret.secret_options =
            Some(vec![wire::Secret { name: "splunk-token".into(), value_from: "/token".into() }]);
        let stored = store(secret.clone()).expect("is taken");
        assert_eq!(render(&stored).secret_options, secret.secret_options);
        secret.options = Some([("splunk-token".to_owned(), "t".to_owned())].into());
        assert!(refused(secret).contains("twice"));
        let logs = [("awslogs-group", "g"), ("awslogs-region", "r"), ("awslogs-stream-prefix", "p")];
        let both =
            [&logs[..], &[("awslogs-datetime-format", "%Y"), ("awslogs-multiline-pattern", "x")]].concat();
        assert!(refused(log(wire::LogDriver::Awslogs, &both)).contains("at the same time"));
        let mode = [&logs[..], &[("mode", "x")]].concat();
        assert!(refused(log(wire::LogDriver::Awslogs, &mode)).contains("blocking"));
    }

    #[test]
    fn routers() {
        let router = |options: &[(&str, &str)]| {
            let options: BTreeMap<_, _> =
                options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            store_router(wire::FirelensConfiguration { options: Some(options), ..Default::default() })
        };
        assert!(router(&[("enable-ecs-log-metadata", "true")]).is_ok());
        assert!(router(&[("config-file-type", "file"), ("config-file-value", "/extra.conf")]).is_ok());
        for options in [
            &[("config-file-type", "s3"), ("config-file-value", "arn:aws:s3:::b/k")][..],
            &[("config-file-type", "file")],
            &[("config-file-type", "file"), ("config-file-value", "/a\n[OUTPUT]")],
            &[("config-file-value", "/a")],
            &[("enable-ecs-log-metadata", "yes")],
            &[("other", "x")],
        ] {
            assert!(router(options).is_err(), "{options:?}");
        }
        let plain = |name: &str| ContainerDefinition { name: name.into(), ..ContainerDefinition::default() };
        let routed = || ContainerDefinition {
            log_configuration: Some(store(log(wire::LogDriver::Awsfirelens, &[])).expect("is taken")),
            ..plain("app")
        };
        let routing = || ContainerDefinition { firelens: router(&[]).ok(), ..plain("router") };
        assert!(check_routers(&[plain("a")]).is_ok());
        assert!(check_routers(&[routed(), routing()]).is_ok());
        assert!(check_routers(&[routed()]).is_err());
        assert!(check_routers(&[routing()]).is_err());
        assert!(
            check_routers(&[routed(), routing(), ContainerDefinition { name: "b".into(), ..routing() }])
                .is_err()
        );
        let both = ContainerDefinition { log_configuration: routed().log_configuration, ..routing() };
        assert!(check_routers(&[both]).is_err());
    }
}
