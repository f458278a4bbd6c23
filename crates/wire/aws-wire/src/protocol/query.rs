//! awsQuery: form-encoded requests, guided by the input's shape, and XML answers.

use super::xml::XmlWriter;
use super::{Encoded, ReadError};
use crate::schema::{Kind, Shape};
use crate::{Fault, Node, Operation, ServiceDefinition, ServiceError, ToWire};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

const CONTENT_TYPE: &str = "text/xml";
/// Most parameters of a request.
const MOST_PARAMETERS: usize = 20_000;
/// Deepest nesting of a parameter name.
const MOST_DEPTH: usize = 32;

/// A form as a tree: `Tags.member.1.Key=a` lies under `Tags`, `member`, `1`, `Key`.
#[derive(Debug, Default)]
struct Tree {
    value: Option<String>,
    children: BTreeMap<String, Tree>,
}

pub(super) fn read(shape: &'static Shape, form: &[u8]) -> Result<Node, ReadError> {
    let text = std::str::from_utf8(form).map_err(|_| ReadError::Form("it is not UTF-8".to_owned()))?;
    let mut tree = Tree::default();
    for (count, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count == MOST_PARAMETERS {
            return Err(ReadError::Form(format!("it has more than {MOST_PARAMETERS} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        tree.insert(&decode(name)?, decode(value)?)?;
    }
    Ok(tree.structure(shape))
}

fn decode(text: &str) -> Result<String, ReadError> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| ReadError::Form("a parameter is not UTF-8".to_owned()))
}

impl Tree {
    fn insert(&mut self, name: &str, value: String) -> Result<(), ReadError> {
        let mut place = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth == MOST_DEPTH {
                return Err(ReadError::Form("a parameter name is nested too deeply".to_owned()));
            }
            place = place.children.entry(part.to_owned()).or_default();
        }
        place.value = Some(value);
        Ok(())
    }

    fn structure(&self, shape: &'static Shape) -> Node {
        let mut members = Vec::new();
        for member in shape.members() {
            let name = member.location_name.unwrap_or(member.name);
            let place = self.children.get(name).or_else(|| self.children.get(member.name));
            if let Some(place) = place {
                members.push((member.name.to_owned(), place.node(member.shape)));
            }
        }
        Node::Map(members)
    }

    fn node(&self, shape: &'static Shape) -> Node {
        match shape.kind {
            Kind::Structure { .. } => self.structure(shape),
            Kind::List { item, item_name, .. } => Node::List(self.items(item_name, |tree| tree.node(item))),
            Kind::Map { key, value, .. } => self.map(key, value),
            _ => self.value.clone().map_or(Node::Null, Node::Text),
        }
    }

    /// The items in the order of their numbers, which may have gaps. `A.1`, `A.member.1` and the model's own item
    /// name are all in use.
    fn items(&self, item_name: Option<&str>, read: impl Fn(&Self) -> Node) -> Vec<Node> {
        let inner = [item_name.unwrap_or("member"), "member", "item"];
        let holder = inner.iter().find_map(|name| self.children.get(*name)).unwrap_or(self);
        let mut numbered: Vec<(u64, &Self)> =
            holder.children.iter().filter_map(|(name, tree)| Some((name.parse().ok()?, tree))).collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, tree)| read(tree)).collect()
    }

    fn map(&self, key: &'static Shape, value: &'static Shape) -> Node {
        let holder = self.children.get("entry").unwrap_or(self);
        let entry = |tree: &Self| {
            let found_key = tree.children.get("key").map(|place| place.node(key));
            let found_value = tree.children.get("value").map_or(Node::Null, |place| place.node(value));
            match found_key {
                Some(Node::Text(key)) => Some((key, found_value)),
                _ => None,
            }
        };
        Node::Map(holder.children.values().filter_map(entry).collect())
    }
}

pub(super) fn write(
    service: &ServiceDefinition,
    operation: &Operation,
    answer: &dyn ToWire,
    request_id: &str,
) -> Encoded {
    let mut writer = XmlWriter::new();
    writer.raw(&format!("<{}Response xmlns=\"{}\">", operation.name, service.xml_namespace));
    if let Some(output) = operation.output {
        let wrapper =
            operation.result_wrapper.map_or_else(|| format!("{}Result", operation.name), str::to_owned);
        writer.element(&wrapper, output, answer);
    }
    writer.raw("<ResponseMetadata><RequestId>");
    writer.escaped(request_id);
    writer.raw(&format!("</RequestId></ResponseMetadata></{}Response>", operation.name));
    Encoded { status: operation.status, content_type: CONTENT_TYPE, body: writer.into_bytes() }
}

pub(super) fn write_error(
    service: Option<&ServiceDefinition>,
    error: &ServiceError,
    request_id: &str,
) -> Encoded {
    let mut writer = XmlWriter::new();
    let blame = if error.shape.fault == Fault::Sender { "Sender" } else { "Receiver" };
    let namespace = service.map_or("", |service| service.xml_namespace);
    writer.raw(&format!("<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{blame}</Type><Code>"));
    writer.escaped(error.shape.query_code.unwrap_or(error.shape.name));
    writer.raw("</Code><Message>");
    writer.escaped(&error.message);
    writer.raw("</Message></Error><RequestId>");
    writer.escaped(request_id);
    writer.raw("</RequestId></ErrorResponse>");
    Encoded { status: error.shape.status, content_type: CONTENT_TYPE, body: writer.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Limits, Location, Member};

    static TEXT: Shape =
        Shape { name: "T", kind: Kind::Text { length: Limits::NONE, pattern: None, values: &[] } };
    static LIST: Shape = Shape {
        name: "L",
        kind: Kind::List { item: &TEXT, item_name: None, flattened: false, length: Limits::NONE },
    };
    static MAP: Shape = Shape {
        name: "M",
        kind: Kind::Map { key: &TEXT, value: &TEXT, flattened: false, length: Limits::NONE },
    };
    const fn member(name: &'static str, shape: &'static Shape) -> Member {
        Member {
            name,
            location_name: None,
            query_name: None,
            location: Location::Body,
            required: false,
            flattened: false,
            idempotency_token: false,
            sensitive: false,
            shape,
        }
    }
    static MEMBERS: [Member; 3] = [member("List", &LIST), member("Map", &MAP), member("Name", &TEXT)];
    static INPUT: Shape = Shape { name: "I", kind: Kind::Structure { members: &MEMBERS, union: false } };

    fn texts(node: &Node) -> Vec<&str> {
        let Node::List(items) = node else { panic!("{node:?}") };
        items.iter().map(|item| if let Node::Text(text) = item { text.as_str() } else { "?" }).collect()
    }

    #[test]
    fn every_form_of_a_list() {
        for form in ["List.member.2=b&List.member.1=a", "List.1=a&List.7=b", "List.item.1=a&List.item.10=b"] {
            let node = read(&INPUT, form.as_bytes()).expect("reads");
            assert_eq!(texts(node.member("List").expect("a list")), ["a", "b"], "{form}");
        }
        let empty = read(&INPUT, b"List=").expect("reads");
        assert_eq!(empty.member("List"), Some(&Node::List(vec![])));
    }

    #[test]
    fn maps_and_text() {
        let node =
            read(&INPUT, b"Action=X&Name=a%20b+c&Map.entry.1.key=k&Map.entry.1.value=v").expect("reads");
        assert_eq!(node.text("Name"), Some("a b c"));
        assert_eq!(node.member("Map").and_then(|map| map.text("k")), Some("v"));
    }

    #[test]
    fn hostile_forms_are_refused() {
        assert!(read(&INPUT, b"Name=%ff").is_err());
        assert!(read(&INPUT, "a.".repeat(1000).as_bytes()).is_err());
        assert!(read(&INPUT, "a=1&".repeat(30_000).as_bytes()).is_err());
    }
}
