//! `os-release`: shell assignments.

use super::lines;
use crate::Distribution;

/// The distribution, if the file says an `ID`.
pub(crate) fn parse(content: &[u8]) -> Option<Distribution> {
    let mut found = Distribution::default();
    for line in lines(content) {
        let Some((key, value)) = line.trim().split_once('=') else { continue };
        let value = unquoted(value);
        if value.is_empty() || value.len() > 256 {
            continue;
        }
        match key {
            "ID" => found.id = value.to_ascii_lowercase(),
            "ID_LIKE" => found.like = value.split_ascii_whitespace().map(str::to_ascii_lowercase).collect(),
            "VERSION_ID" => found.version = Some(value),
            "VERSION_CODENAME" => found.codename = Some(value),
            "PRETTY_NAME" => found.pretty_name = Some(value),
            _ => {}
        }
    }
    (!found.id.is_empty()).then_some(found)
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(value).replace('\\', "")
}
