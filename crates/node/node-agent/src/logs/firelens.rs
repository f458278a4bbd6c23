//! FireLens: a container of the task routes the output of others, with fluentd or Fluent Bit.
//!
//! The agent makes the router's configuration, as the published agent does: inputs, what is known of the task as
//! fields of each record, and an output for each container from its log options. Output goes to the router over its
//! socket, in the protocol of [`super::forward`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The socket in the router.
pub(crate) const SOCKET: &str = "/var/run/fluent.sock";
/// Directory of the socket, which is the router's alone.
pub(crate) const SOCKET_DIRECTORY: &str = "/var/run";
/// Where containers reach the router by themselves.
pub(crate) const HOST: &str = "127.0.0.1";
/// Its port.
pub(crate) const PORT: &str = "24224";
/// Port on which the router answers health checks.
const HEALTH_PORT: u16 = 8877;
/// Tag of what comes to that port.
const HEALTH_TAG: &str = "firelens-healthcheck";

/// What routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterKind {
    /// fluentd.
    Fluentd,
    /// Fluent Bit.
    FluentBit,
}

/// A container that routes output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// What runs in it.
    pub kind: RouterKind,
    /// Records tell the task they come from.
    pub with_metadata: bool,
    /// A file of the image that is made part of the configuration.
    pub include: Option<String>,
}

/// A container whose output is routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Index of the router.
    pub router: usize,
    /// Tag of its records.
    pub tag: String,
    /// Options of the output, as given.
    pub options: BTreeMap<String, String>,
    /// Options whose values are secrets, and the variables of the router that hold them.
    pub secrets: BTreeMap<String, String>,
}

/// What records tell of their task.
pub(crate) struct Facts<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) task_arn: &'a str,
    /// Family and revision.
    pub(crate) definition: String,
}

/// The tag of a container's records.
pub(crate) fn tag(container: &str, task: &str) -> String {
    format!("{container}-firelens-{task}")
}

impl RouterKind {
    /// Where the router's image looks for its configuration.
    pub(crate) const fn configuration_path(self) -> &'static str {
        match self {
            Self::Fluentd => "/fluentd/etc/fluent.conf",
            Self::FluentBit => "/fluent-bit/etc/fluent-bit.conf",
        }
    }

    /// The option that names the plugin of an output.
    const fn plugin_option(self) -> &'static str {
        match self {
            Self::Fluentd => "@type",
            Self::FluentBit => "Name",
        }
    }

    /// How a variable of the router is written in its configuration.
    fn variable(self, name: &str) -> String {
        match self {
            Self::Fluentd => format!("\"#{{ENV['{name}']}}\""),
            Self::FluentBit => format!("${{{name}}}"),
        }
    }
}

/// Options that say how output gets to the router, or what of it; the others are the plugin's.
fn is_own(option: &str) -> bool {
    matches!(
        option,
        "include-pattern" | "exclude-pattern" | "log-driver-buffer-limit" | "mode" | "max-buffer-size"
    )
}

/// The router's configuration.
pub(crate) fn configuration(router: &Router, facts: &Facts<'_>, routed: &[&Routed]) -> String {
    let mut text = String::new();
    let written = match router.kind {
        RouterKind::FluentBit => fluent_bit(&mut text, router, facts, routed),
        RouterKind::Fluentd => fluentd(&mut text, router, facts, routed),
    };
    debug_assert!(written.is_ok(), "writing to a text cannot fail");
    text
}

fn metadata<'a>(router: &Router, facts: &'a Facts<'_>) -> Vec<(&'static str, &'a str)> {
    if !router.with_metadata {
        return Vec::new();
    }
    vec![
        ("ecs_cluster", facts.cluster),
        ("ecs_task_arn", facts.task_arn),
        ("ecs_task_definition", &facts.definition),
    ]
}

/// The plugin of an output and its options; `None` when the container names no plugin, for a file has its output then.
fn output(kind: RouterKind, routed: &Routed) -> Option<(&str, Vec<(&str, String)>)> {
    let plugin = routed.options.get(kind.plugin_option())?;
    let plain = routed.options.iter().filter(|(name, _)| *name != kind.plugin_option() && !is_own(name));
    let plain = plain.map(|(name, value)| (name.as_str(), value.clone()));
    let secret = routed.secrets.iter().map(|(name, variable)| (name.as_str(), kind.variable(variable)));
    Some((plugin, plain.chain(secret).collect()))
}

fn fluent_bit(text: &mut String, router: &Router, facts: &Facts<'_>, routed: &[&Routed]) -> std::fmt::Result {
    writeln!(
        text,
        "[INPUT]\n    Name tcp\n    Listen {HOST}\n    Port {HEALTH_PORT}\n    Tag {HEALTH_TAG}\n"
    )?;
    writeln!(text, "[INPUT]\n    Name forward\n    unix_path {SOCKET}\n")?;
    writeln!(text, "[INPUT]\n    Name forward\n    Listen {HOST}\n    Port {PORT}\n")?;
    for container in routed {
        for (option, rule) in [("include-pattern", "Regex"), ("exclude-pattern", "Exclude")] {
            if let Some(pattern) = container.options.get(option) {
                let tag = &container.tag;
                writeln!(text, "[FILTER]\n    Name grep\n    Match {tag}*\n    {rule} log {pattern}\n")?;
            }
        }
    }
    let fields = metadata(router, facts);
    if !fields.is_empty() {
        writeln!(text, "[FILTER]\n    Name record_modifier\n    Match *")?;
        for (name, value) in fields {
            writeln!(text, "    Record {name} {value}")?;
        }
        writeln!(text)?;
    }
    if let Some(path) = &router.include {
        writeln!(text, "@INCLUDE {path}\n")?;
    }
    writeln!(text, "[OUTPUT]\n    Name null\n    Match {HEALTH_TAG}\n")?;
    for container in routed {
        if let Some((plugin, options)) = output(router.kind, container) {
            writeln!(text, "[OUTPUT]\n    Name {plugin}\n    Match {}*", container.tag)?;
            for (name, value) in options {
                writeln!(text, "    {name} {value}")?;
            }
            writeln!(text)?;
        }
    }
    Ok(())
}

fn fluentd(text: &mut String, router: &Router, facts: &Facts<'_>, routed: &[&Routed]) -> std::fmt::Result {
    writeln!(text, "<source>\n    @type tcp\n    bind {HOST}\n    port {HEALTH_PORT}\n    tag {HEALTH_TAG}")?;
    writeln!(text, "    <parse>\n        @type none\n    </parse>\n</source>\n")?;
    writeln!(text, "<source>\n    @type unix\n    path {SOCKET}\n</source>\n")?;
    writeln!(text, "<source>\n    @type forward\n    bind {HOST}\n    port {PORT}\n</source>\n")?;
    for container in routed {
        for (option, rule) in [("include-pattern", "regexp"), ("exclude-pattern", "exclude")] {
            if let Some(pattern) = container.options.get(option) {
                writeln!(text, "<filter {}**>\n    @type grep\n    <{rule}>", container.tag)?;
                writeln!(text, "        key log\n        pattern {pattern}\n    </{rule}>\n</filter>\n")?;
            }
        }
    }
    let fields = metadata(router, facts);
    if !fields.is_empty() {
        writeln!(text, "<filter **>\n    @type record_transformer\n    <record>")?;
        for (name, value) in fields {
            writeln!(text, "        {name} {value}")?;
        }
        writeln!(text, "    </record>\n</filter>\n")?;
    }
    if let Some(path) = &router.include {
        writeln!(text, "@include {path}\n")?;
    }
    writeln!(text, "<match {HEALTH_TAG}>\n    @type null\n</match>\n")?;
    for container in routed {
        if let Some((plugin, options)) = output(router.kind, container) {
            writeln!(text, "<match {}**>\n    @type {plugin}", container.tag)?;
            for (name, value) in options {
                writeln!(text, "    {name} {value}")?;
            }
            writeln!(text, "</match>\n")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(options: &[(&str, &str)]) -> Routed {
        Routed {
            router: 0,
            tag: tag("app", "0a"),
            options: options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            secrets: BTreeMap::from([("apikey".to_owned(), "apikey_1".to_owned())]),
        }
    }

    fn facts() -> Facts<'static> {
        Facts { cluster: "default", task_arn: "arn:task", definition: "web:3".to_owned() }
    }

    #[test]
    fn fluent_bit_gets_sections() {
        let router = Router {
            kind: RouterKind::FluentBit,
            with_metadata: true,
            include: Some("/extra.conf".to_owned()),
        };
        let app = routed(&[
            ("Name", "http"),
            ("Host", "logs.example"),
            ("exclude-pattern", "^GET /health"),
            ("log-driver-buffer-limit", "100"),
        ]);
        let text = configuration(&router, &facts(), &[&app]);
        for part in [
            "[INPUT]\n    Name forward\n    unix_path /var/run/fluent.sock\n",
            "[INPUT]\n    Name forward\n    Listen 127.0.0.1\n    Port 24224\n",
            "[FILTER]\n    Name grep\n    Match app-firelens-0a*\n    Exclude log ^GET /health\n",
            "    Record ecs_cluster default\n    Record ecs_task_arn arn:task\n    Record ecs_task_definition web:3\n",
            "@INCLUDE /extra.conf\n",
            "[OUTPUT]\n    Name http\n    Match app-firelens-0a*\n    Host logs.example\n    apikey ${apikey_1}\n",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
        assert!(!text.contains("buffer-limit"));
        let silent = Router { with_metadata: false, include: None, ..router };
        let text = configuration(&silent, &facts(), &[&routed(&[])]);
        assert!(!text.contains("record_modifier") && !text.contains("apikey"), "{text}");
    }

    #[test]
    fn fluentd_gets_elements() {
        let router = Router { kind: RouterKind::Fluentd, with_metadata: true, include: None };
        let app = routed(&[("@type", "elasticsearch"), ("port", "9200"), ("include-pattern", "error")]);
        let text = configuration(&router, &facts(), &[&app]);
        for part in [
            "<source>\n    @type unix\n    path /var/run/fluent.sock\n</source>\n",
            "        key log\n        pattern error\n    </regexp>\n",
            "        ecs_task_definition web:3\n",
            "<match app-firelens-0a**>\n    @type elasticsearch\n    port 9200\n    apikey \"#{ENV['apikey_1']}\"\n</match>\n",
        ] {
            assert!(text.contains(part), "{part}\nin\n{text}");
        }
    }
}
