//! awsQuery: form-encoded requests, guided by the input's shape, and XML answers.

use super::xml::XmlWriter;
use super::{Encoded, ReadError};
use crate::schema::{Kind, Member, Shape};
use crate::{Fault, Node, Operation, ServiceDefinition, ServiceError, ToWire};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

pub(super) const CONTENT_TYPE: &str = "text/xml";
/// Most parameters of a request.
const MOST_PARAMETERS: usize = 20_000;
/// Deepest nesting of a parameter name.
const MOST_DEPTH: usize = 32;

/// What members are called in a form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// As in XML.
    Query,
    /// With a name of their own, or as in XML with a capital letter. Lists have nothing around their items.
    Ec2,
}

/// A form as a tree: `Tags.member.1.Key=a` lies under `Tags`, `member`, `1`, `Key`.
#[derive(Debug, Default)]
struct Tree {
    value: Option<String>,
    children: BTreeMap<String, Tree>,
}

pub(super) fn read(shape: &'static Shape, form: &[u8], names: Names) -> Result<Node, ReadError> {
    let text = std::str::from_utf8(form).map_err(|_| ReadError::Form("it is not UTF-8".to_owned()))?;
    let mut tree = Tree::default();
    for (count, pair) in text.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count == MOST_PARAMETERS {
            return Err(ReadError::Form(format!("it has more than {MOST_PARAMETERS} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        tree.insert(&decode(name)?, decode(value)?)?;
    }
    tree.structure(shape, names)
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

    fn structure(&self, shape: &'static Shape, names: Names) -> Result<Node, ReadError> {
        let mut members = Vec::new();
        for member in shape.members() {
            let place = match names {
                Names::Query => self.named(member),
                Names::Ec2 => self.capital(member),
            };
            if let Some(place) = place {
                members.push((member.name.to_owned(), place.node(member.shape, names)?));
            }
        }
        Ok(Node::Map(members))
    }

    fn named(&self, member: &Member) -> Option<&Self> {
        let name = member.location_name.unwrap_or(member.name);
        let flat_name = flat_name(member).unwrap_or(name);
        [flat_name, name, member.name].iter().find_map(|name| self.children.get(*name))
    }

    fn capital(&self, member: &Member) -> Option<&Self> {
        let own = member.query_name.and_then(|name| self.children.get(name));
        let located = || {
            let mut name = member.location_name?.to_owned();
            name.get_mut(..1)?.make_ascii_uppercase();
            self.children.get(&name)
        };
        own.or_else(located).or_else(|| self.children.get(member.name))
    }

    fn node(&self, shape: &'static Shape, names: Names) -> Result<Node, ReadError> {
        let nested = matches!(shape.kind, Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. });
        // Clients send `A=` for an empty list; text in place of anything nested is a mistake of theirs.
        if nested && self.value.as_deref().is_some_and(|value| !value.is_empty()) {
            return Err(ReadError::Form(format!("a value is given where {} is expected", shape.name)));
        }
        match shape.kind {
            Kind::Structure { .. } => self.structure(shape, names),
            Kind::List { item, item_name, .. } => self.items(item, item_name, names),
            Kind::Map { key, value, .. } => self.map(key, value, names),
            _ => Ok(self.value.clone().map_or(Node::Null, Node::Text)),
        }
    }

    /// The items in the order of their numbers, which may have gaps. `A.1`, `A.member.1` and the model's own item
    /// name are all in use.
    fn items(&self, item: &'static Shape, item_name: Option<&str>, names: Names) -> Result<Node, ReadError> {
        let inner = [item_name.unwrap_or("member"), "member", "item"];
        let holder = inner.iter().find_map(|name| self.children.get(*name)).unwrap_or(self);
        let mut numbered: Vec<(u64, &Self)> =
            holder.children.iter().filter_map(|(name, tree)| Some((name.parse().ok()?, tree))).collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        let items: Result<_, _> = numbered.into_iter().map(|(_, tree)| tree.node(item, names)).collect();
        items.map(Node::List)
    }

    fn map(&self, key: &'static Shape, value: &'static Shape, names: Names) -> Result<Node, ReadError> {
        let holder = self.children.get("entry").unwrap_or(self);
        let mut entries = Vec::new();
        for tree in holder.children.values() {
            let Some(place) = tree.children.get("key") else { continue };
            let Node::Text(name) = place.node(key, names)? else { continue };
            let found =
                tree.children.get("value").map_or(Ok(Node::Null), |place| place.node(value, names))?;
            entries.push((name, found));
        }
        Ok(Node::Map(entries))
    }
}

/// The item's name takes the place of the member's where a list is flattened.
fn flat_name(member: &Member) -> Option<&'static str> {
    match member.shape.kind {
        Kind::List { item_name, flattened, .. } if flattened || member.flattened => item_name,
        _ => None,
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
        // The generator gives every operation with an output its wrapper.
        writer.element(operation.result_wrapper.unwrap_or("Result"), output, answer);
    }
    writer.raw("<ResponseMetadata><RequestId>");
    writer.escaped(request_id);
    writer.raw(&format!("</RequestId></ResponseMetadata></{}Response>", operation.name));
    Encoded {
        status: operation.status,
        content_type: CONTENT_TYPE,
        headers: vec![],
        body: writer.into_bytes(),
    }
}

pub(super) fn write_error(
    service: Option<&ServiceDefinition>,
    error: &ServiceError,
    request_id: &str,
) -> Encoded {
    let mut writer = XmlWriter::new();
    let blame = if error.shape.fault == Fault::Sender { "Sender" } else { "Receiver" };
    match service {
        Some(service) => writer.raw(&format!("<ErrorResponse xmlns=\"{}\">", service.xml_namespace)),
        None => writer.raw("<ErrorResponse>"),
    }
    writer.raw(&format!("<Error><Type>{blame}</Type><Code>"));
    writer.escaped(error.shape.query_code.unwrap_or(error.shape.name));
    writer.raw("</Code><Message>");
    writer.escaped(&error.message);
    writer.raw("</Message></Error><RequestId>");
    writer.escaped(request_id);
    writer.raw("</RequestId></ErrorResponse>");
    Encoded {
        status: error.shape.status,
        content_type: CONTENT_TYPE,
        headers: vec![],
        body: writer.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Limits, Location};

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
    static FLAT: Shape = Shape {
        name: "F",
        kind: Kind::List { item: &TEXT, item_name: Some("FlatItem"), flattened: true, length: Limits::NONE },
    };
    static FLAT_MAP: Shape = Shape {
        name: "G",
        kind: Kind::Map { key: &TEXT, value: &TEXT, flattened: true, length: Limits::NONE },
    };
    static MEMBERS: [Member; 5] = [
        member("Flat", &FLAT),
        member("FlatMap", &FLAT_MAP),
        member("List", &LIST),
        member("Map", &MAP),
        member("Name", &TEXT),
    ];
    static INPUT: Shape = Shape { name: "I", kind: Kind::Structure { members: &MEMBERS, union: false } };

    fn texts(node: &Node) -> Vec<&str> {
        let Node::List(items) = node else { panic!("{node:?}") };
        items.iter().map(|item| if let Node::Text(text) = item { text.as_str() } else { "?" }).collect()
    }

    #[test]
    fn every_form_of_a_list() {
        for form in ["List.member.2=b&List.member.1=a", "List.1=a&List.7=b", "List.item.1=a&List.item.10=b"] {
            let node = read(&INPUT, form.as_bytes(), Names::Query).expect("reads");
            assert_eq!(texts(node.member("List").expect("a list")), ["a", "b"], "{form}");
        }
        let empty = read(&INPUT, b"List=", Names::Query).expect("reads");
        assert_eq!(empty.member("List"), Some(&Node::List(vec![])));
    }

    #[test]
    fn maps_and_text() {
        let node = read(&INPUT, b"Action=X&Name=a%20b+c&Map.entry.1.key=k&Map.entry.1.value=v", Names::Query)
            .expect("reads");
        assert_eq!(node.text("Name"), Some("a b c"));
        assert_eq!(node.member("Map").and_then(|map| map.text("k")), Some("v"));
    }

    #[test]
    fn flattened_forms() {
        for form in ["FlatItem.1=a&FlatItem.2=b", "Flat.1=a&Flat.2=b"] {
            let node = read(&INPUT, form.as_bytes(), Names::Query).expect("reads");
            assert_eq!(texts(node.member("Flat").expect("a list")), ["a", "b"], "{form}");
        }
        let node =
            read(&INPUT, b"FlatMap.1.key=k&FlatMap.1.value=v&FlatMap.2.key=l", Names::Query).expect("reads");
        let map = node.member("FlatMap").expect("a map");
        assert_eq!((map.text("k"), map.member("l")), (Some("v"), None));
    }

    #[test]
    fn text_is_no_list_and_no_map() {
        for form in ["List=a", "Map=a", "List.member.1.x=a&List=b"] {
            assert!(read(&INPUT, form.as_bytes(), Names::Query).is_err(), "{form}");
        }
    }

    #[test]
    fn hostile_forms_are_refused() {
        assert!(read(&INPUT, b"Name=%ff", Names::Query).is_err());
        assert!(read(&INPUT, "a.".repeat(1000).as_bytes(), Names::Query).is_err());
        assert!(read(&INPUT, "a=1&".repeat(30_000).as_bytes(), Names::Query).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_form_is_a_panic(form in "((Flat|FlatMap|List|Map|Name|member|entry|key|1|.|=|&|%[0-9a-f]{2}){0,40})") {
            let _ = read(&INPUT, form.as_bytes(), Names::Query);
        }
    }
}
