//! Writes XML, following the output's shape for the names of elements.

use crate::schema::{Kind, Member, Shape};
use crate::{ToWire, Writer};
use environment::Timestamp;
use std::fmt::Write;

/// Where the writer is: the shape being written and the element to close after it.
struct Place {
    shape: &'static Shape,
    /// Element around the current value.
    element: String,
}

pub(super) struct XmlWriter {
    out: String,
    /// The value to write next.
    next: Option<Place>,
    /// The structures, lists and maps around it.
    around: Vec<Place>,
}

impl XmlWriter {
    pub(super) fn new() -> Self {
        Self { out: String::with_capacity(512), next: None, around: Vec::new() }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Text with what XML gives a meaning to, and what it cannot hold, taken care of.
    pub(super) fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\r' => self.out.push_str("&#xD;"),
                '\n' | '\t' => self.out.push(c),
                // XML 1.0 has no way to write other control characters.
                c if c < ' ' => self.out.push('\u{fffd}'),
                c => self.out.push(c),
            }
        }
    }

    /// A value inside an element.
    pub(super) fn element(&mut self, name: &str, shape: &'static Shape, value: &dyn ToWire) {
        self.next = Some(Place { shape, element: name.to_owned() });
        value.write(self);
    }

    fn open(&mut self) {
        // Every value follows `element`, `member`, `item` or `key`; anything else is written without an element.
        if let Some(place) = self.next.take() {
            let _ = write!(self.out, "<{}>", place.element);
            self.around.push(place);
        }
    }

    fn close(&mut self) {
        if let Some(place) = self.around.pop() {
            let _ = write!(self.out, "</{}>", place.element);
        }
    }

    fn scalar(&mut self, text: &str) {
        self.open();
        self.escaped(text);
        self.close();
    }
}

impl Writer for XmlWriter {
    fn begin_structure(&mut self) {
        self.open();
    }

    fn member(&mut self, member: &'static Member) {
        let element = member.location_name.unwrap_or(member.name).to_owned();
        self.next = Some(Place { shape: member.shape, element });
    }

    fn end_structure(&mut self) {
        self.close();
    }

    fn begin_list(&mut self) {
        self.open();
    }

    fn item(&mut self) {
        if let Some(Kind::List { item, item_name, .. }) = self.around.last().map(|place| &place.shape.kind) {
            self.next = Some(Place { shape: item, element: item_name.unwrap_or("member").to_owned() });
        }
    }

    fn end_list(&mut self) {
        self.close();
    }

    fn begin_map(&mut self) {
        self.open();
    }

    fn key(&mut self, key: &str) {
        let Some(Kind::Map { value, .. }) = self.around.last().map(|place| &place.shape.kind) else { return };
        if self.out.ends_with("</value>") {
            self.out.push_str("</entry>");
        }
        self.out.push_str("<entry><key>");
        self.escaped(key);
        self.out.push_str("</key>");
        self.next = Some(Place { shape: value, element: "value".to_owned() });
    }

    fn end_map(&mut self) {
        if self.out.ends_with("</value>") {
            self.out.push_str("</entry>");
        }
        self.close();
    }

    fn text(&mut self, value: &str) {
        self.scalar(value);
    }

    fn integer(&mut self, value: i64) {
        self.scalar(&value.to_string());
    }

    fn float(&mut self, value: f64) {
        self.scalar(&value.to_string());
    }

    fn boolean(&mut self, value: bool) {
        self.scalar(if value { "true" } else { "false" });
    }

    fn timestamp(&mut self, value: Timestamp) {
        self.scalar(&value.to_rfc3339());
    }

    fn blob(&mut self, value: &[u8]) {
        use base64::Engine;
        self.scalar(&base64::engine::general_purpose::STANDARD.encode(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Limits;
    use std::collections::BTreeMap;

    static TEXT: Shape =
        Shape { name: "T", kind: Kind::Text { length: Limits::NONE, pattern: None, values: &[] } };
    static LIST: Shape = Shape {
        name: "L",
        kind: Kind::List { item: &TEXT, item_name: None, flattened: false, length: Limits::NONE },
    };
    static MAP: Shape = Shape {
        name: "M",
        kind: Kind::Map { key: &TEXT, value: &LIST, flattened: false, length: Limits::NONE },
    };

    fn written(shape: &'static Shape, value: &dyn ToWire) -> String {
        let mut writer = XmlWriter::new();
        writer.element("R", shape, value);
        String::from_utf8(writer.into_bytes()).expect("text")
    }

    #[test]
    fn lists_maps_and_escapes() {
        let list = vec!["a<b".to_owned(), "\u{1}".to_owned()];
        assert_eq!(written(&LIST, &list), "<R><member>a&lt;b</member><member>\u{fffd}</member></R>");
        assert_eq!(written(&LIST, &Vec::<String>::new()), "<R></R>");
        let map = BTreeMap::from([("x".to_owned(), vec!["1".to_owned()]), ("y".to_owned(), vec![])]);
        let text = "<R><entry><key>x</key><value><member>1</member></value></entry><entry><key>y</key><value></value></entry></R>";
        assert_eq!(written(&MAP, &map), text);
    }
}
