//! restJson1: the operation is named by method and path, and its input is spread over path, query string and JSON body.

use super::{Encoded, json};
use crate::schema::{Kind, Location, Member};
use crate::{Fault, Node, Operation, ServiceError, ToWire};
use http::HeaderMap;
use percent_encoding::percent_decode_str;

const CONTENT_TYPE: &str = "application/json";

/// Whether a method and a path, as they were sent, are those of an operation.
pub fn matches(operation: &Operation, method: &str, path: &str) -> bool {
    operation.method == method && labels(operation.uri, path).is_some()
}

/// The values of a template's labels, decoded: `{Name}` is one segment, `{Rest+}` what is left.
fn labels<'t>(template: &'t str, path: &str) -> Option<Vec<(&'t str, String)>> {
    let template = template.split('?').next().unwrap_or_default();
    let mut found = Vec::new();
    let mut segments = path.trim_start_matches('/').split('/');
    for part in template.trim_start_matches('/').split('/') {
        let label = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        match label {
            Some(label) if label.ends_with('+') => {
                let rest: Vec<&str> = segments.by_ref().collect();
                found.push((label.trim_end_matches('+'), decoded(&rest.join("/"))?));
            }
            Some(label) => found.push((label, decoded(segments.next().filter(|part| !part.is_empty())?)?)),
            None if segments.next() == Some(part) => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(found)
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Puts the members that travel in path, query string and headers into what the body held.
pub fn bind(operation: &Operation, (path, query): (&str, &str), headers: &HeaderMap, body: Node) -> Node {
    let Kind::Structure { members, .. } = &operation.input.kind else { return body };
    let Node::Map(mut values) = body else { return body };
    // What belongs elsewhere counts for nothing in the body.
    values.retain(|(name, _)| members.iter().all(|m| m.name != name || m.location == Location::Body));
    let labels = labels(operation.uri, path).unwrap_or_default();
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(&key.replace('+', "%20"))?, decoded(&value.replace('+', "%20"))?))
        })
        .collect();
    for member in *members {
        let name = member.location_name.unwrap_or(member.name);
        let found = match member.location {
            Location::Uri => labels.iter().find(|(label, _)| *label == name).map(|(_, value)| text(value)),
            Location::QueryString => from_query(member, name, &pairs),
            Location::Header => headers.get(name).and_then(|value| value.to_str().ok()).map(text),
            Location::Body | Location::Headers | Location::StatusCode => None,
        };
        values.extend(found.map(|found| (member.name.to_owned(), found)));
    }
    Node::Map(values)
}

fn text(value: &str) -> Node {
    Node::Text(value.to_owned())
}

/// A list takes every value of its key.
fn from_query(member: &Member, name: &str, pairs: &[(String, String)]) -> Option<Node> {
    let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| text(value));
    if matches!(member.shape.kind, Kind::List { .. }) {
        let values: Vec<Node> = values.collect();
        return (!values.is_empty()).then_some(Node::List(values));
    }
    values.next()
}

pub(super) fn write(operation: &Operation, answer: &dyn ToWire) -> Encoded {
    Encoded {
        status: operation.status,
        content_type: CONTENT_TYPE,
        headers: vec![],
        body: json::to_vec(answer),
    }
}

pub(super) fn write_error(error: &ServiceError) -> Encoded {
    let status =
        if error.shape.fault == Fault::Receiver { error.shape.status.max(500) } else { error.shape.status };
    let headers = vec![("x-amzn-errortype", error.shape.name.to_owned())];
    Encoded { status, content_type: CONTENT_TYPE, headers, body: json::error_body(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_take_paths_apart() {
        let of = |template, path| labels(template, path);
        assert_eq!(of("/schedules/{Name}", "/schedules/a%20b"), Some(vec![("Name", "a b".to_owned())]));
        assert_eq!(
            of("/tags/{ResourceArn}", "/tags/arn%3Aaws%3Ascheduler%3Ax%3A1%3Aschedule-group%2Fg"),
            Some(vec![("ResourceArn", "arn:aws:scheduler:x:1:schedule-group/g".to_owned())])
        );
        assert_eq!(of("/a/{Rest+}", "/a/b/c"), Some(vec![("Rest", "b/c".to_owned())]));
        assert_eq!(of("/schedules", "/schedules"), Some(vec![]));
        for (template, path) in [
            ("/schedules/{Name}", "/schedules"),
            ("/schedules/{Name}", "/schedules/"),
            ("/schedules/{Name}", "/schedules/a/b"),
            ("/schedules", "/schedule-groups"),
        ] {
            assert_eq!(of(template, path), None, "{template} {path}");
        }
    }
}
