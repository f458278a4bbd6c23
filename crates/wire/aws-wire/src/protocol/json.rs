//! awsJson1.0 and awsJson1.1.

use super::{Encoded, MOST_VALUES, ReadError};
use crate::schema::{Member, TimestampFormat};
use crate::{Fault, Node, ServiceDefinition, ServiceError, ToWire, Writer};
use environment::Timestamp;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::io::Write;

/// Content type of awsJson1.1.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// Content type of awsJson1.0.
const CONTENT_TYPE_1_0: &str = "application/x-amz-json-1.0";

/// Reads a request. An empty body is an empty structure. Nesting is bounded by the parser (128 levels).
pub(super) fn read(body: &[u8]) -> Result<Node, ReadError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Node::empty());
    }
    let left = Cell::new(MOST_VALUES);
    let failed = |error: serde_json::Error| {
        if left.get() == 0 { ReadError::TooMany(MOST_VALUES) } else { ReadError::Json(error.to_string()) }
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let node = NodeSeed(&left).deserialize(&mut deserializer).map_err(failed)?;
    deserializer.end().map_err(failed)?;
    match node {
        node @ Node::Map(_) => Ok(node),
        _ => Err(ReadError::NotAnObject),
    }
}

/// The JSON text of an object as a value tree.
///
/// # Errors
/// When it is none, or has too many values.
pub fn from_slice(text: &[u8]) -> Result<Node, ReadError> {
    read(text)
}

/// Any value as JSON text.
pub fn to_vec(value: &dyn ToWire) -> Vec<u8> {
    let mut writer = JsonWriter { out: Vec::with_capacity(512), fresh: true, times: None };
    value.write(&mut writer);
    writer.out
}

pub(super) fn write(service: &ServiceDefinition, answer: &dyn ToWire) -> Encoded {
    Encoded { status: 200, content_type: content_type(Some(service)), headers: vec![], body: to_vec(answer) }
}

pub(super) fn write_error(service: Option<&ServiceDefinition>, error: &ServiceError) -> Encoded {
    let status = if error.shape.fault == Fault::Receiver { error.shape.status.max(500) } else { 400 };
    let headers = super::query_error(service, error);
    Encoded { status, content_type: content_type(service), headers, body: error_body(error) }
}

/// An error as a JSON object.
pub(super) fn error_body(error: &ServiceError) -> Vec<u8> {
    let mut members = serde_json::Map::new();
    members.insert("__type".to_owned(), error.shape.name.into());
    members.insert(error.shape.message_key.to_owned(), error.message.as_ref().into());
    for (name, value) in &error.members {
        members.insert((*name).to_owned(), to_json(value));
    }
    serde_json::Value::Object(members).to_string().into_bytes()
}

fn content_type(service: Option<&ServiceDefinition>) -> &'static str {
    match service {
        Some(service) if service.json_version == "1.0" => CONTENT_TYPE_1_0,
        _ => CONTENT_TYPE,
    }
}

fn to_json(node: &Node) -> serde_json::Value {
    use base64::Engine;
    use serde_json::Value;
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Integer(value) => (*value).into(),
        Node::Float(value) => (*value).into(),
        Node::Text(text) => text.as_str().into(),
        Node::Blob(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
        Node::List(items) => items.iter().map(to_json).collect(),
        Node::Map(members) => members.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NodeSeed(&Cell::new(usize::MAX)).deserialize(deserializer)
    }
}

/// Reads one value and counts it: how many more there may be.
#[derive(Clone, Copy)]
struct NodeSeed<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| Error::custom("too many values"))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Float(value as f64), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = access.next_key()? {
            members.push((name, access.next_value_seed(self)?));
        }
        Ok(Node::Map(members))
    }
}

/// Writes compact JSON into one buffer.
struct JsonWriter {
    out: Vec<u8>,
    /// Nothing was written yet in the innermost structure, list or map.
    fresh: bool,
    /// How the model wants the times of the current member.
    times: Option<TimestampFormat>,
}

impl JsonWriter {
    fn open(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.fresh = true;
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.fresh = false;
    }

    fn separate(&mut self) {
        if !self.fresh {
            self.out.push(b',');
        }
        self.fresh = false;
    }

    fn string(&mut self, text: &str) {
        if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            // Writing text into a vector cannot fail.
            let _ = serde_json::to_writer(&mut self.out, text);
        }
    }

    fn display(&mut self, value: impl fmt::Display) {
        // Writing into a vector cannot fail.
        let _ = write!(self.out, "{value}");
    }
}

impl Writer for JsonWriter {
    fn begin_structure(&mut self) {
        self.open(b'{');
    }

    fn member(&mut self, member: &'static Member) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(member.location_name.unwrap_or(member.name).as_bytes());
        self.out.extend_from_slice(b"\":");
        self.times = member.shape.timestamp_format();
    }

    fn end_structure(&mut self) {
        self.close(b'}');
    }

    fn begin_list(&mut self) {
        self.open(b'[');
    }

    fn item(&mut self) {
        self.separate();
    }

    fn end_list(&mut self) {
        self.close(b']');
    }

    fn begin_map(&mut self) {
        self.open(b'{');
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.string(key);
        self.out.push(b':');
    }

    fn end_map(&mut self) {
        self.close(b'}');
    }

    fn text(&mut self, value: &str) {
        self.string(value);
    }

    fn integer(&mut self, value: i64) {
        self.display(value);
    }

    fn float(&mut self, value: f64) {
        match super::not_finite(value) {
            Some(text) => self.string(text),
            None => self.display(value),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn timestamp(&mut self, value: Timestamp) {
        match self.times.unwrap_or(TimestampFormat::EpochSeconds) {
            TimestampFormat::EpochSeconds => self.out.extend_from_slice(epoch_seconds(value).as_bytes()),
            TimestampFormat::Iso8601 => self.string(&value.to_rfc3339()),
            TimestampFormat::HttpDate => self.string(&super::http_date(value)),
        }
    }

    fn blob(&mut self, value: &[u8]) {
        use base64::Engine;
        self.string(&base64::engine::general_purpose::STANDARD.encode(value));
    }
}

/// Seconds since the epoch, with a fraction where there is one.
pub(super) fn epoch_seconds(value: Timestamp) -> String {
    let (seconds, millis) = (value.as_millis().div_euclid(1000), value.as_millis().rem_euclid(1000));
    if millis == 0 {
        seconds.to_string()
    } else if seconds >= 0 {
        format!("{seconds}.{millis:03}")
    } else {
        (value.as_millis() as f64 / 1000.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn reads_what_clients_send() {
        assert_eq!(read(b"").expect("empty"), Node::empty());
        let node = read(br#"{"a":1,"b":[true,null],"c":{"d":1.5}}"#).expect("reads");
        assert_eq!(node.member("a"), Some(&Node::Integer(1)));
        for bad in [&b"{"[..], b"[]", b"5", b"\xff", b"{\"a\":1}x"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let deep = [b"{\"a\":".repeat(5000), b"1".to_vec(), b"}".repeat(5000)].concat();
        assert!(read(&deep).is_err());
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(MOST_VALUES));
        assert!(matches!(read(many.as_bytes()), Err(ReadError::TooMany(_))));
    }

    #[test]
    fn writes_what_clients_read() {
        let map = BTreeMap::from([("k\"".to_owned(), vec![1i64, 2]), ("l".to_owned(), vec![])]);
        assert_eq!(to_vec(&map), br#"{"k\"":[1,2],"l":[]}"#);
        let times =
            vec![Timestamp::from_millis(1_500), Timestamp::from_millis(2_000), Timestamp::from_millis(-500)];
        assert_eq!(to_vec(&times), b"[1.500,2,-0.5]");
        assert_eq!(to_vec(&"a\n\u{1}".to_owned()), br#""a\n\u0001""#);
        assert_eq!(to_vec(&f64::NAN), br#""NaN""#);
        assert_eq!(to_vec(&()), b"{}");
    }
}
