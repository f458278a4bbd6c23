//! What a call asked, as JSON without secrets.
//!
//! Only members that the model knows are written: a misspelt name could carry a secret that nobody recognizes.

use super::json::Json;
use super::resources::{Named, add_parameter};
use super::rules::{HIDDEN, is_content, is_secret};
use aws_wire::Node;
use aws_wire::schema::{Kind, Member, Shape};

/// Writes the input, and adds what it names to `resources`; `None` when it is empty.
pub(super) fn write(
    service: &str,
    shape: &Shape,
    input: &Node,
    resources: &mut Vec<Named>,
) -> Option<String> {
    let mut json = Json::new();
    structure(&mut json, service, shape.members(), input, Some(resources));
    json.finish("requestParameters")
}

fn structure(
    json: &mut Json,
    service: &str,
    members: &'static [Member],
    node: &Node,
    mut resources: Option<&mut Vec<Named>>,
) {
    json.open('{');
    let Node::Map(values) = node else {
        json.close('}');
        return;
    };
    for (name, value) in values {
        let Ok(found) = members.binary_search_by(|member| member.name.cmp(name)) else { continue };
        let member = &members[found];
        let is_blob = matches!(member.shape.kind, Kind::Blob { .. });
        if *value == Node::Null || is_content(service, name) || json.is_full() {
            continue;
        }
        if member.sensitive || is_secret(service, name) {
            json.member(name);
            json.text(HIDDEN);
        } else if !is_blob {
            json.member(name);
            self::value(json, service, member.shape, value);
            if let Some(resources) = resources.as_deref_mut() {
                add_parameter(service, name, member.shape.name, value, resources);
            }
        }
    }
    json.close('}');
}

/// A value; where it is not what the model says, as little as can be said of it.
fn value(json: &mut Json, service: &str, shape: &'static Shape, node: &Node) {
    match (&shape.kind, node) {
        (Kind::Structure { members, .. }, _) => structure(json, service, members, node, None),
        (Kind::List { item, .. }, Node::List(items)) => {
            json.open('[');
            for node in items {
                if json.is_full() {
                    break;
                }
                json.separate();
                value(json, service, item, node);
            }
            json.close(']');
        }
        (Kind::Map { value: shape, .. }, Node::Map(entries)) => {
            json.open('{');
            for (key, node) in entries {
                if json.is_full() {
                    break;
                }
                json.key(key);
                value(json, service, shape, node);
            }
            json.close('}');
        }
        (kind, node) => scalar(json, kind, node),
    }
}

fn scalar(json: &mut Json, kind: &Kind, node: &Node) {
    match node {
        Node::Bool(value) => json.display(value),
        Node::Integer(value) => json.display(value),
        Node::Float(value) => json.float(*value),
        Node::Text(text) => match kind {
            // Query clients send every scalar as text.
            Kind::Integer { .. } | Kind::Long { .. } => match text.parse::<i64>() {
                Ok(number) => json.display(number),
                Err(_) => json.text(text),
            },
            Kind::Boolean if text == "true" || text == "false" => json.display(text),
            _ => json.text(text),
        },
        Node::Null | Node::Blob(_) | Node::List(_) | Node::Map(_) => json.display("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_wire::schema::{Limits, Location};

    static TEXT: Shape =
        Shape { name: "Text", kind: Kind::Text { length: Limits::NONE, pattern: None, values: &[] } };
    static NUMBER: Shape = Shape { name: "Number", kind: Kind::Integer { range: Limits::NONE } };
    static BYTES: Shape = Shape { name: "Bytes", kind: Kind::Blob { length: Limits::NONE } };
    static TEXTS: Shape = Shape {
        name: "Texts",
        kind: Kind::List { item: &TEXT, item_name: None, flattened: false, length: Limits::NONE },
    };
    const fn member(name: &'static str, shape: &'static Shape, sensitive: bool) -> Member {
        Member {
            name,
            location_name: None,
            query_name: None,
            location: Location::Body,
            required: false,
            flattened: false,
            idempotency_token: false,
            sensitive,
            shape,
        }
    }
    static INNER: [Member; 1] = [member("Password", &TEXT, false)];
    static INNER_SHAPE: Shape =
        Shape { name: "Inner", kind: Kind::Structure { members: &INNER, union: false } };
    static MEMBERS: [Member; 7] = [
        member("Bytes", &BYTES, false),
        member("Count", &NUMBER, false),
        member("Inner", &INNER_SHAPE, false),
        member("Name", &TEXT, false),
        member("Pin", &TEXTS, true),
        member("SecretString", &TEXT, false),
        member("Tags", &TEXTS, false),
    ];
    static SHAPE: Shape = Shape { name: "Input", kind: Kind::Structure { members: &MEMBERS, union: false } };

    fn written(json: &str) -> String {
        let node: Node = serde_json::from_str(json).expect("JSON");
        write("probe", &SHAPE, &node, &mut Vec::new()).unwrap_or_default()
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        let text = written(
            r#"{"Name":"n","Pin":"p1","SecretString":{"odd":"p2"},"Inner":{"Password":["p3"]},"Unknown":"p4",
                "Bytes":"p5","Count":"7","Tags":["a",{"x":"p6"}],"Null":null}"#,
        );
        let expected = r#"{"name":"n","pin":"HIDDEN_DUE_TO_SECURITY_REASONS","secretString":"HIDDEN_DUE_TO_SECURITY_REASONS","inner":{"password":"HIDDEN_DUE_TO_SECURITY_REASONS"},"count":7,"tags":["a",null]}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn the_empty_request_has_no_parameters() {
        assert_eq!(written("{}"), "");
        assert_eq!(written(r#"{"Unknown":1}"#), "");
    }
}
