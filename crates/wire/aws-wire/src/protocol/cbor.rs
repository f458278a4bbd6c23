//! Smithy RPC v2 CBOR: the operation in the path, CBOR (RFC 8949) in and out.
//!
//! Structures are maps of text, points in time are numbers with tag 1, bytes are bytes. What is written has maps and lists
//! of indefinite length, which every client must read, because a [`Writer`] does not know lengths beforehand.

use super::{Encoded, MOST_VALUES, ReadError};
use crate::schema::Member;
use crate::{Node, ServiceDefinition, ServiceError, ToWire, Writer};
use environment::Timestamp;
use minicbor::data::{Tag, Type};
use minicbor::decode::Error;
use minicbor::{Decoder, Encoder};

/// What the header `Smithy-Protocol` says of a request and its answer.
pub const NAME: &str = "rpc-v2-cbor";
/// Content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/cbor";

/// Deepest nesting of a request; no input of any service has a tenth of it.
const MOST_DEPTH: usize = 64;
/// Seconds since the epoch.
const EPOCH_TIME: Tag = Tag::new(1);

/// Reads a request. An empty body is an empty structure.
pub(super) fn read(body: &[u8]) -> Result<Node, ReadError> {
    if body.is_empty() {
        return Ok(Node::empty());
    }
    match from_slice(body)? {
        node @ Node::Map(_) => Ok(node),
        _ => Err(ReadError::NotAMap),
    }
}

/// Any value as a tree.
///
/// # Errors
/// When it is no CBOR, is nested too deeply, or has too many values.
pub fn from_slice(bytes: &[u8]) -> Result<Node, ReadError> {
    let mut reader = Reader { decoder: Decoder::new(bytes), left: MOST_VALUES };
    let node = reader.value(0)?;
    if reader.decoder.position() != bytes.len() {
        return Err(ReadError::Cbor("there is something after the value".to_owned()));
    }
    Ok(node)
}

/// Any value as CBOR.
pub fn to_vec(value: &dyn ToWire) -> Vec<u8> {
    let mut writer = CborWriter { out: Encoder::new(Vec::with_capacity(512)) };
    value.write(&mut writer);
    writer.out.into_writer()
}

pub(super) fn write(answer: &dyn ToWire) -> Encoded {
    Encoded { status: 200, content_type: CONTENT_TYPE, headers: headers(), body: to_vec(answer) }
}

pub(super) fn write_error(service: Option<&ServiceDefinition>, error: &ServiceError) -> Encoded {
    let mut headers = headers();
    headers.extend(super::query_error(service, error));
    // The model's namespace is the service's name.
    let shape = service.map_or_else(
        || error.shape.name.to_owned(),
        |service| format!("com.amazonaws.{}#{}", service.name, error.shape.name),
    );
    let mut members = vec![
        ("__type".to_owned(), Node::Text(shape)),
        (error.shape.message_key.to_owned(), Node::Text(error.message.clone().into_owned())),
    ];
    members.extend(error.members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let body = to_vec(&Node::Map(members));
    Encoded { status: error.shape.status, content_type: CONTENT_TYPE, headers, body }
}

/// Clients refuse an answer without it.
fn headers() -> Vec<(&'static str, String)> {
    vec![("smithy-protocol", NAME.to_owned())]
}

struct Reader<'b> {
    decoder: Decoder<'b>,
    /// How many more values there may be.
    left: usize,
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Cbor(error.to_string())
    }
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, ReadError> {
        if depth > MOST_DEPTH {
            return Err(ReadError::Cbor("it is nested too deeply".to_owned()));
        }
        self.left = self.left.checked_sub(1).ok_or(ReadError::TooMany(MOST_VALUES))?;
        let decoder = &mut self.decoder;
        Ok(match decoder.datatype()? {
            Type::Bool => Node::Bool(decoder.bool()?),
            Type::Null => {
                decoder.null()?;
                Node::Null
            }
            Type::Undefined => {
                decoder.undefined()?;
                Node::Null
            }
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int => {
                let wide = i128::from(decoder.int()?);
                i64::try_from(wide).map_or(Node::Float(wide as f64), Node::Integer)
            }
            Type::F16 => Node::Float(self.half()?),
            Type::F32 => Node::Float(f64::from(decoder.f32()?)),
            Type::F64 => Node::Float(decoder.f64()?),
            Type::Bytes | Type::BytesIndef => Node::Blob(self.bytes()?),
            Type::String | Type::StringIndef => Node::Text(self.text()?),
            Type::Array | Type::ArrayIndef => self.list(depth)?,
            Type::Map | Type::MapIndef => self.map(depth)?,
            Type::Tag => self.tagged(depth)?,
            other @ (Type::Simple | Type::Break | Type::Unknown(_)) => {
                return Err(ReadError::Cbor(format!("a value of the kind '{other}' means nothing here")));
            }
        })
    }

    /// A tag says what its value means; only that of points in time says more than the model does.
    fn tagged(&mut self, depth: usize) -> Result<Node, ReadError> {
        let tag = self.decoder.tag()?;
        let value = self.value(depth + 1)?;
        let is_number = match value {
            Node::Integer(_) => true,
            Node::Float(seconds) => seconds.is_finite(),
            _ => false,
        };
        if tag == EPOCH_TIME && !is_number {
            return Err(ReadError::Cbor("a point in time is no number of seconds".to_owned()));
        }
        Ok(value)
    }

    fn text(&mut self) -> Result<String, ReadError> {
        let pieces: Result<Vec<&str>, Error> = self.decoder.str_iter()?.collect();
        Ok(pieces?.concat())
    }

    fn bytes(&mut self) -> Result<Vec<u8>, ReadError> {
        let pieces: Result<Vec<&[u8]>, Error> = self.decoder.bytes_iter()?.collect();
        Ok(pieces?.concat())
    }

    fn list(&mut self, depth: usize) -> Result<Node, ReadError> {
        let mut left = self.decoder.array()?;
        let mut items = Vec::new();
        while self.goes_on(&mut left)? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Node::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Node, ReadError> {
        let mut left = self.decoder.map()?;
        let mut members = Vec::new();
        while self.goes_on(&mut left)? {
            if !matches!(self.decoder.datatype()?, Type::String | Type::StringIndef) {
                return Err(ReadError::Cbor("a key is no text".to_owned()));
            }
            let key = self.text()?;
            members.push((key, self.value(depth + 1)?));
        }
        Ok(Node::Map(members))
    }

    /// Whether another item follows; `left` counts them where the length was told.
    fn goes_on(&mut self, left: &mut Option<u64>) -> Result<bool, ReadError> {
        match left {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None if self.decoder.datatype()? == Type::Break => {
                self.decoder.set_position(self.decoder.position() + 1);
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// A float of 16 bits, as RFC 8949 has it in its appendix D.
    fn half(&mut self) -> Result<f64, ReadError> {
        let at = self.decoder.position() + 1;
        let Some([high, low]) = self.decoder.input().get(at..at + 2) else {
            return Err(Error::end_of_input().into());
        };
        let bits = u16::from_be_bytes([*high, *low]);
        self.decoder.set_position(at + 2);
        let (exponent, fraction) = (i32::from((bits >> 10) & 0x1f), f64::from(bits & 0x3ff));
        let value = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 if fraction > 0.0 => f64::NAN,
            31 => f64::INFINITY,
            _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
        };
        Ok(if bits >> 15 == 1 { -value } else { value })
    }
}

/// Writes into one buffer, which cannot fail.
struct CborWriter {
    out: Encoder<Vec<u8>>,
}

impl Writer for CborWriter {
    fn begin_structure(&mut self) {
        self.begin_map();
    }

    fn member(&mut self, member: &'static Member) {
        self.text(member.name);
    }

    fn end_structure(&mut self) {
        self.end_map();
    }

    fn begin_list(&mut self) {
        let _ = self.out.begin_array();
    }

    fn item(&mut self) {}

    fn end_list(&mut self) {
        let _ = self.out.end();
    }

    fn begin_map(&mut self) {
        let _ = self.out.begin_map();
    }

    fn key(&mut self, key: &str) {
        self.text(key);
    }

    fn end_map(&mut self) {
        let _ = self.out.end();
    }

    fn text(&mut self, value: &str) {
        let _ = self.out.str(value);
    }

    fn integer(&mut self, value: i64) {
        let _ = self.out.i64(value);
    }

    fn float(&mut self, value: f64) {
        let _ = self.out.f64(value);
    }

    fn boolean(&mut self, value: bool) {
        let _ = self.out.bool(value);
    }

    fn timestamp(&mut self, value: Timestamp) {
        let _ = self.out.tag(EPOCH_TIME);
        let millis = value.as_millis();
        if millis % 1000 == 0 {
            self.integer(millis / 1000);
        } else {
            self.float(millis as f64 / 1000.0);
        }
    }

    fn blob(&mut self, value: &[u8]) {
        let _ = self.out.bytes(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorShape, Fault};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn bytes(text: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    /// Examples of RFC 8949, appendix A, in every width and with and without lengths.
    #[test]
    fn reads_every_form_of_every_kind() {
        let abc = Node::Map(vec![
            ("a".to_owned(), Node::Integer(1)),
            ("b".to_owned(), Node::List(vec![Node::Integer(2), Node::Integer(3)])),
        ]);
        for (given, expected) in [
            ("00", Node::Integer(0)),
            ("1818", Node::Integer(24)),
            ("1903e8", Node::Integer(1000)),
            ("1b000000e8d4a51000", Node::Integer(1_000_000_000_000)),
            ("1bffffffffffffffff", Node::Float(18_446_744_073_709_551_615.0)),
            ("3bffffffffffffffff", Node::Float(-18_446_744_073_709_551_616.0)),
            ("3903e7", Node::Integer(-1000)),
            ("f93c00", Node::Float(1.0)),
            ("f97bff", Node::Float(65_504.0)),
            ("f90001", Node::Float(5.960_464_477_539_063e-8)),
            ("f90400", Node::Float(0.000_061_035_156_25)),
            ("f9c400", Node::Float(-4.0)),
            ("f9fc00", Node::Float(f64::NEG_INFINITY)),
            ("fa47c35000", Node::Float(100_000.0)),
            ("fbc010666666666666", Node::Float(-4.1)),
            ("f4", Node::Bool(false)),
            ("f6", Node::Null),
            ("f7", Node::Null),
            ("c11a514b67b0", Node::Integer(1_363_896_240)),
            ("c1fb41d452d9ec200000", Node::Float(1_363_896_240.5)),
            ("d818456449455446", Node::Blob(b"dIETF".to_vec())),
            ("4401020304", Node::Blob(vec![1, 2, 3, 4])),
            ("5f42010243030405ff", Node::Blob(vec![1, 2, 3, 4, 5])),
            ("62c3bc", text("ü")),
            ("7f657374726561646d696e67ff", text("streaming")),
            ("80", Node::List(vec![])),
            ("9f0102ff", Node::List(vec![Node::Integer(1), Node::Integer(2)])),
            ("a26161016162820203", abc.clone()),
            ("bf61610161629f0203ffff", abc),
        ] {
            assert_eq!(from_slice(&bytes(given)).expect(given), expected, "{given}");
        }
        assert!(matches!(from_slice(&bytes("f97e00")), Ok(Node::Float(value)) if value.is_nan()));
        assert_eq!(read(b"").expect("empty"), Node::empty());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bad in [
            "18",
            "f93c",
            "ff",
            "1c",
            "f8ff",
            "61ff",
            "62c3",
            "9f01",
            "bf6161",
            "a1016161",
            "a161",
            "0000",
            "c16161",
            "c1f97e00",
            "5f6161ff",
            "7f4101ff",
            "9bffffffffffffffff01",
            "5bffffffffffffffff01",
            "bbffffffffffffffff",
        ] {
            assert!(from_slice(&bytes(bad)).is_err(), "{bad}");
        }
        for other in ["01", "80", "6161", "f6"] {
            assert!(matches!(read(&bytes(other)), Err(ReadError::NotAMap)), "{other}");
        }
        let deep = [vec![0x81; 5000], vec![0x01]].concat();
        assert!(from_slice(&deep).is_err());
        assert!(from_slice(&vec![0xc2; 5000]).is_err(), "tags nest, too");
        let many = [vec![0x9f], vec![0x00; MOST_VALUES], vec![0xff]].concat();
        assert!(matches!(from_slice(&many), Err(ReadError::TooMany(_))));
    }

    #[test]
    fn writes_what_clients_read() {
        let map = BTreeMap::from([("k".to_owned(), vec![1i64, -2]), ("l".to_owned(), vec![])]);
        assert_eq!(to_vec(&map), bytes("bf616b9f0121ff616c9fffff"));
        let times = vec![Timestamp::from_millis(1_363_896_240_500), Timestamp::from_millis(-2_000)];
        assert_eq!(to_vec(&times), bytes("9fc1fb41d452d9ec200000c121ff"));
        assert_eq!(to_vec(&vec![1u8, 2]), bytes("420102"));
        assert_eq!(to_vec(&f64::INFINITY), bytes("fb7ff0000000000000"));
        assert_eq!(to_vec(&()), bytes("bfff"));
    }

    #[test]
    fn an_error_names_its_shape_and_its_code_in_the_query_protocol() {
        static SHAPE: ErrorShape = ErrorShape {
            name: "ResourceNotFoundException",
            query_code: Some("ResourceNotFound"),
            status: 404,
            fault: Fault::Sender,
            message_key: "Message",
        };
        static SERVICE: ServiceDefinition = ServiceDefinition {
            name: "cloudwatch",
            signing_name: "monitoring",
            protocols: &["smithy-rpc-v2-cbor", "json", "query"],
            json_version: "1.0",
            target_prefix: "",
            api_version: "",
            xml_namespace: "",
            operations: &[],
            unbuilt: &[],
        };
        let error = ServiceError::new(&SHAPE, "none").with_member("ResourceType", text("alarm"));
        let written = write_error(Some(&SERVICE), &error);
        assert_eq!((written.status, written.content_type), (404, CONTENT_TYPE));
        assert_eq!(
            written.headers,
            [
                ("smithy-protocol", NAME.to_owned()),
                ("x-amzn-query-error", "ResourceNotFound;Sender".to_owned())
            ]
        );
        let body = from_slice(&written.body).expect("reads");
        assert_eq!(body.text("__type"), Some("com.amazonaws.cloudwatch#ResourceNotFoundException"));
        assert_eq!((body.text("Message"), body.text("ResourceType")), (Some("none"), Some("alarm")));
    }

    fn nodes() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Node::Bool),
            any::<i64>().prop_map(Node::Integer),
            any::<f64>().prop_filter("NaN is not itself", |value| !value.is_nan()).prop_map(Node::Float),
            ".*".prop_map(Node::Text),
            any::<Vec<u8>>().prop_map(Node::Blob),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Node::List),
                prop::collection::vec((".*", inner), 0..8).prop_map(Node::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(node in nodes()) {
            prop_assert_eq!(from_slice(&to_vec(&node)).expect("reads"), node);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = from_slice(&bytes);
        }
    }
}
