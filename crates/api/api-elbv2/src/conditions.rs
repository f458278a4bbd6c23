//! Conditions of rules, between the shapes of the API and the stored form.

use crate::errors::{Failure, other, validation};
use crate::shapes::{self as wire, errors};
use ipnet::IpNet;
use resources::elb::{Condition, QueryPair};
use std::net::IpAddr;

/// Most values of all conditions of a rule together.
const MOST_VALUES: usize = 5;
/// Longest value.
const LONGEST: usize = 128;
/// Longest name of a header.
const LONGEST_NAME: usize = 40;

/// Reads the conditions of a rule.
pub(crate) fn read(given: Vec<wire::RuleCondition>) -> Result<Vec<Condition>, Failure> {
    if given.is_empty() {
        return Err(validation("A condition must be specified"));
    }
    let conditions = given.into_iter().map(read_one).collect::<Result<Vec<_>, _>>()?;
    for name in ["path-pattern", "host-header", "http-request-method", "source-ip"] {
        if conditions.iter().filter(|condition| field(condition) == name).count() > 1 {
            return Err(validation(format_args!("A rule can have one '{name}' condition")));
        }
    }
    if conditions.iter().map(count).sum::<usize>() > MOST_VALUES {
        return Err(other(
            &errors::TOO_MANY_RULES_EXCEPTION,
            format_args!("A rule cannot have more than {MOST_VALUES} condition values"),
        ));
    }
    Ok(conditions)
}

fn read_one(given: wire::RuleCondition) -> Result<Condition, Failure> {
    let name = given.field.clone().unwrap_or_default();
    let by_regex = given.regex_values.as_ref().is_some_and(|values| !values.is_empty())
        || given.host_header_config.as_ref().is_some_and(|config| config.regex_values.is_some())
        || given.path_pattern_config.as_ref().is_some_and(|config| config.regex_values.is_some())
        || given.http_header_config.as_ref().is_some_and(|config| config.regex_values.is_some());
    if by_regex {
        return Err(validation("Conditions with regular expressions are not supported"));
    }
    let plain = given.values;
    let is_plain = matches!(name.as_str(), "path-pattern" | "host-header");
    if is_plain && plain.as_ref().is_some_and(|values| values.len() > 1) {
        return Err(validation(format_args!(
            "The '{name}' field contains too many values; the limit is '1'"
        )));
    }
    Ok(match name.as_str() {
        "path-pattern" => {
            let config = given.path_pattern_config.and_then(|config| config.values);
            Condition::PathPattern(texts(&name, config.or(plain))?)
        }
        "host-header" => {
            let config = given.host_header_config.and_then(|config| config.values);
            Condition::HostHeader(texts(&name, config.or(plain))?)
        }
        "http-header" => {
            let config = given.http_header_config.unwrap_or_default();
            let header = config.http_header_name.unwrap_or_default();
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if header.len() > LONGEST_NAME {
                return Err(too_long("HttpHeaderName", LONGEST_NAME));
            }
            if header.is_empty() || !header.bytes().all(is_token) {
                return Err(validation(format_args!("The HTTP header name '{header}' is not valid")));
            }
            if header.eq_ignore_ascii_case("host") {
                return Err(validation("Use a host-header condition for the header 'host'"));
            }
            Condition::HttpHeader { name: header, values: texts(&name, config.values)? }
        }
        "http-request-method" => {
            let config = given.http_request_method_config;
            let config = config.ok_or_else(|| no_config("HttpRequestMethodConfig", &name))?;
            let values = texts(&name, config.values)?;
            if values.iter().any(|value| value.len() > LONGEST_NAME) {
                return Err(too_long(&name, LONGEST_NAME));
            }
            let is_allowed = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
            if !values.iter().all(|value| value.bytes().all(is_allowed)) {
                return Err(validation(format_args!(
                    "The '{name}' value is invalid; the allowed characters are A-Z, hyphen and underscore"
                )));
            }
            Condition::HttpRequestMethod(values)
        }
        "query-string" => Condition::QueryString(pairs(given.query_string_config)?),
        "source-ip" => {
            let config = given.source_ip_config.ok_or_else(|| no_config("SourceIpConfig", &name))?;
            let given = config.values.filter(|values| !values.is_empty());
            let given = given.ok_or_else(|| validation("A 'source-ip' value must be specified"))?;
            let values = texts(&name, Some(given))?;
            let is_range = |value: &String| value.parse::<IpNet>().is_ok() || value.parse::<IpAddr>().is_ok();
            if let Some(wrong) = values.iter().find(|value| !is_range(value)) {
                return Err(validation(format_args!("The source IP '{wrong}' is not a valid CIDR block")));
            }
            Condition::SourceIp(values)
        }
        other => {
            return Err(validation(format_args!(
                "Condition field '{other}' must be one of '[http-header, http-request-method, host-header, \
                 path-pattern, query-string, source-ip]'"
            )));
        }
    })
}

fn texts(field: &str, given: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
    let values = given.filter(|values| !values.is_empty());
    let values = values.ok_or_else(|| validation("A condition value must be specified"))?;
    for value in &values {
        if value.len() > LONGEST {
            return Err(too_long(field, LONGEST));
        }
        if value.is_empty() || value.chars().any(char::is_control) {
            return Err(validation(format_args!("The '{field}' value '{value}' is not valid")));
        }
    }
    Ok(values)
}

fn too_long(what: &str, most: usize) -> Failure {
    validation(format_args!("The '{what}' value is too long; the limit is '{most}'"))
}

fn no_config(config: &str, field: &str) -> Failure {
    validation(format_args!("A '{config}' must be specified with '{field}'"))
}

fn pairs(given: Option<wire::QueryStringConditionConfig>) -> Result<Vec<QueryPair>, Failure> {
    let given = given.and_then(|config| config.values).unwrap_or_default();
    if given.is_empty() {
        return Err(validation("A 'query-string' condition needs a value"));
    }
    let mut pairs = Vec::new();
    for pair in given {
        let value = pair.value.filter(|value| !value.is_empty());
        let value =
            value.ok_or_else(|| validation("A 'Value' must be specified in 'QueryStringKeyValuePair'"))?;
        let value = texts("Value", Some(vec![value]))?.remove(0);
        let key = pair.key.filter(|key| !key.is_empty());
        if let Some(key) = &key {
            texts("Key", Some(vec![key.clone()]))?;
        }
        pairs.push(QueryPair { key, value });
    }
    Ok(pairs)
}

fn field(condition: &Condition) -> &'static str {
    match condition {
        Condition::PathPattern(_) => "path-pattern",
        Condition::HostHeader(_) => "host-header",
        Condition::HttpHeader { .. } => "http-header",
        Condition::HttpRequestMethod(_) => "http-request-method",
        Condition::QueryString(_) => "query-string",
        Condition::SourceIp(_) => "source-ip",
    }
}

fn count(condition: &Condition) -> usize {
    match condition {
        Condition::PathPattern(values)
        | Condition::HostHeader(values)
        | Condition::HttpHeader { values, .. }
        | Condition::HttpRequestMethod(values)
        | Condition::SourceIp(values) => values.len(),
        Condition::QueryString(pairs) => pairs.len(),
    }
}

/// As answers show them.
pub(crate) fn shown(conditions: &[Condition]) -> Vec<wire::RuleCondition> {
    conditions.iter().map(shown_one).collect()
}

fn shown_one(condition: &Condition) -> wire::RuleCondition {
    let base =
        wire::RuleCondition { field: Some(field(condition).to_owned()), ..wire::RuleCondition::default() };
    match condition {
        Condition::PathPattern(values) => wire::RuleCondition {
            values: Some(values.clone()),
            path_pattern_config: Some(wire::PathPatternConditionConfig {
                values: Some(values.clone()),
                ..wire::PathPatternConditionConfig::default()
            }),
            ..base
        },
        Condition::HostHeader(values) => wire::RuleCondition {
            values: Some(values.clone()),
            host_header_config: Some(wire::HostHeaderConditionConfig {
                values: Some(values.clone()),
                ..wire::HostHeaderConditionConfig::default()
            }),
            ..base
        },
        Condition::HttpHeader { name, values } => wire::RuleCondition {
            http_header_config: Some(wire::HttpHeaderConditionConfig {
                http_header_name: Some(name.clone()),
                values: Some(values.clone()),
                ..wire::HttpHeaderConditionConfig::default()
            }),
            ..base
        },
        Condition::HttpRequestMethod(values) => wire::RuleCondition {
            http_request_method_config: Some(wire::HttpRequestMethodConditionConfig {
                values: Some(values.clone()),
            }),
            ..base
        },
        Condition::QueryString(pairs) => {
            let pair = |pair: &QueryPair| wire::QueryStringKeyValuePair {
                key: pair.key.clone(),
                value: Some(pair.value.clone()),
            };
            wire::RuleCondition {
                query_string_config: Some(wire::QueryStringConditionConfig {
                    values: Some(pairs.iter().map(pair).collect()),
                }),
                ..base
            }
        }
        Condition::SourceIp(values) => wire::RuleCondition {
            source_ip_config: Some(wire::SourceIpConditionConfig { values: Some(values.clone()) }),
            ..base
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(field: &str, values: &[&str]) -> wire::RuleCondition {
        wire::RuleCondition {
            field: Some(field.to_owned()),
            values: Some(values.iter().map(|&value| value.to_owned()).collect()),
            ..wire::RuleCondition::default()
        }
    }

    #[test]
    fn both_ways_to_write_a_path_are_one() {
        let plain = read(vec![condition("path-pattern", &["/a*"])]).expect("is right");
        let shown = shown(&plain);
        let config = wire::RuleCondition { values: None, ..shown[0].clone() };
        assert_eq!(read(vec![config]).expect("is right"), plain);
    }

    #[test]
    fn too_much_and_nonsense_are_refused() {
        for wrong in [
            vec![],
            vec![condition("path-pattern", &[])],
            vec![condition("path", &["/a"])],
            vec![condition("path-pattern", &["/a"]), condition("path-pattern", &["/b"])],
            vec![condition("path-pattern", &["1", "2"])],
            vec![wire::RuleCondition {
                field: Some("path-pattern".to_owned()),
                path_pattern_config: Some(wire::PathPatternConditionConfig {
                    values: Some((0..6).map(|n| n.to_string()).collect()),
                    ..wire::PathPatternConditionConfig::default()
                }),
                ..wire::RuleCondition::default()
            }],
            vec![condition("path-pattern", &[""])],
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
