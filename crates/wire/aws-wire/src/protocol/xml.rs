//! Writes XML, following the output's shape for the names of elements.

use crate::schema::{Kind, Member, Shape, TimestampFormat};
use crate::{ToWire, Writer};
use environment::Timestamp;

/// The name of no element.
const BARE: &str = "";

/// The value to write next: its shape and the element around it.
#[derive(Clone, Copy)]
struct Place {
    shape: &'static Shape,
    element: &'static str,
    /// Set on the member, in some models.
    flattened: bool,
}

/// A structure, list or map that is being written.
struct Open {
    place: Place,
    /// A list or map whose items each repeat the element, with nothing around them.
    flattened: bool,
    /// An entry of a map awaits its end.
    in_entry: bool,
}

pub(super) struct XmlWriter {
    out: String,
    next: Option<Place>,
    around: Vec<Open>,
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
    pub(super) fn element(&mut self, name: &'static str, shape: &'static Shape, value: &dyn ToWire) {
        self.next = Some(Place { shape, element: name, flattened: false });
        value.write(self);
    }

    /// The members of a structure, with nothing around them.
    pub(super) fn members(&mut self, shape: &'static Shape, value: &dyn ToWire) {
        self.element(BARE, shape, value);
    }

    fn start(&mut self, element: &str) {
        if element == BARE {
            return;
        }
        self.out.push('<');
        self.out.push_str(element);
        self.out.push('>');
    }

    fn end(&mut self, element: &str) {
        if element == BARE {
            return;
        }
        self.out.push_str("</");
        self.out.push_str(element);
        self.out.push('>');
    }

    fn open(&mut self) {
        // Every value follows `element`, `member`, `item` or `key`; one that does not has no name and is not written.
        let Some(place) = self.next.take() else { return };
        let of_shape = match place.shape.kind {
            Kind::List { flattened, .. } | Kind::Map { flattened, .. } => flattened || place.flattened,
            _ => false,
        };
        if !of_shape {
            self.start(place.element);
        }
        self.around.push(Open { place, flattened: of_shape, in_entry: false });
    }

    fn close(&mut self) {
        self.end_entry();
        if let Some(open) = self.around.pop()
            && !open.flattened
        {
            self.end(open.place.element);
        }
    }

    fn end_entry(&mut self) {
        let ended = self.around.last_mut().filter(|open| open.in_entry).map(|open| {
            open.in_entry = false;
            entry_element(open)
        });
        if let Some(element) = ended {
            self.end(element);
        }
    }

    fn scalar(&mut self, text: &str) {
        if let Some(place) = self.next.take() {
            self.start(place.element);
            self.escaped(text);
            self.end(place.element);
        }
    }
}

fn entry_element(map: &Open) -> &'static str {
    if map.flattened { map.place.element } else { "entry" }
}

impl Writer for XmlWriter {
    fn begin_structure(&mut self) {
        self.open();
    }

    fn member(&mut self, member: &'static Member) {
        let element = member.location_name.unwrap_or(member.name);
        self.next = Some(Place { shape: member.shape, element, flattened: member.flattened });
    }

    fn end_structure(&mut self) {
        self.close();
    }

    fn begin_list(&mut self) {
        self.open();
    }

    fn item(&mut self) {
        let Some(list) = self.around.last() else { return };
        let Kind::List { item, item_name, .. } = list.place.shape.kind else { return };
        let element = if list.flattened {
            item_name.unwrap_or(list.place.element)
        } else {
            item_name.unwrap_or("member")
        };
        self.next = Some(Place { shape: item, element, flattened: false });
    }

    fn end_list(&mut self) {
        self.close();
    }

    fn begin_map(&mut self) {
        self.open();
    }

    fn key(&mut self, key: &str) {
        self.end_entry();
        let Some(map) = self.around.last_mut() else { return };
        let Kind::Map { value, .. } = map.place.shape.kind else { return };
        map.in_entry = true;
        let entry = entry_element(map);
        self.start(entry);
        self.out.push_str("<key>");
        self.escaped(key);
        self.out.push_str("</key>");
        self.next = Some(Place { shape: value, element: "value", flattened: false });
    }

    fn end_map(&mut self) {
        self.close();
    }

    fn text(&mut self, value: &str) {
        self.scalar(value);
    }

    fn integer(&mut self, value: i64) {
        self.scalar(&value.to_string());
    }

    fn float(&mut self, value: f64) {
        match super::not_finite(value) {
            Some(text) => self.scalar(text),
            None => self.scalar(&value.to_string()),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.scalar(if value { "true" } else { "false" });
    }

    fn timestamp(&mut self, value: Timestamp) {
        let format = self.next.and_then(|place| place.shape.timestamp_format());
        let text = match format.unwrap_or(TimestampFormat::Iso8601) {
            TimestampFormat::EpochSeconds => super::json::epoch_seconds(value),
            TimestampFormat::HttpDate => super::http_date(value),
            // Whole seconds have no fraction, as IAM writes them.
            TimestampFormat::Iso8601 if value.as_millis() % 1000 == 0 => value.to_rfc3339_seconds(),
            TimestampFormat::Iso8601 => value.to_rfc3339(),
        };
        self.scalar(&text);
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
    static TIME: Shape = Shape { name: "D", kind: Kind::Timestamp { format: None } };
    static HTTP_TIME: Shape =
        Shape { name: "H", kind: Kind::Timestamp { format: Some(TimestampFormat::HttpDate) } };
    static LIST: Shape = list(None, false);
    static FLAT_LIST: Shape = list(None, true);
    static NAMED_LIST: Shape = list(Some("Item"), true);
    static MAP: Shape = map(&LIST, false);
    static MAP_OF_MAPS: Shape = map(&FLAT_MAP, false);
    static FLAT_MAP: Shape = map(&TEXT, true);

    const fn list(item_name: Option<&'static str>, flattened: bool) -> Shape {
        Shape { name: "L", kind: Kind::List { item: &TEXT, item_name, flattened, length: Limits::NONE } }
    }

    const fn map(value: &'static Shape, flattened: bool) -> Shape {
        Shape { name: "M", kind: Kind::Map { key: &TEXT, value, flattened, length: Limits::NONE } }
    }

    fn written(shape: &'static Shape, value: &dyn ToWire) -> String {
        let mut writer = XmlWriter::new();
        writer.element("R", shape, value);
        String::from_utf8(writer.into_bytes()).expect("text")
    }

    #[test]
    fn lists_and_escapes() {
        let list = vec!["a<b".to_owned(), "\u{1}".to_owned()];
        assert_eq!(written(&LIST, &list), "<R><member>a&lt;b</member><member>\u{fffd}</member></R>");
        assert_eq!(written(&LIST, &Vec::<String>::new()), "<R></R>");
        let two = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(written(&FLAT_LIST, &two), "<R>a</R><R>b</R>");
        assert_eq!(written(&NAMED_LIST, &two), "<Item>a</Item><Item>b</Item>");
        assert_eq!(written(&FLAT_LIST, &Vec::<String>::new()), "");
    }

    #[test]
    fn maps() {
        let map = BTreeMap::from([("x".to_owned(), vec!["1".to_owned()]), ("y".to_owned(), vec![])]);
        let text = "<R><entry><key>x</key><value><member>1</member></value></entry>\
                    <entry><key>y</key><value></value></entry></R>";
        assert_eq!(written(&MAP, &map), text);
        let flat = BTreeMap::from([("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())]);
        let entries = |element: &str| {
            format!(
                "<{element}><key>x</key><value>1</value></{element}><{element}><key>y</key><value>2</value></{element}>"
            )
        };
        assert_eq!(written(&FLAT_MAP, &flat), entries("R"));
        let nested = BTreeMap::from([("k".to_owned(), flat)]);
        assert_eq!(
            written(&MAP_OF_MAPS, &nested),
            format!("<R><entry><key>k</key>{}</entry></R>", entries("value"))
        );
    }

    #[test]
    fn scalars() {
        let time = Timestamp::from_seconds(1_704_164_645);
        assert_eq!(written(&TIME, &time), "<R>2024-01-02T03:04:05Z</R>");
        let late = Timestamp::from_millis(1_704_164_645_678);
        assert_eq!(written(&TIME, &late), "<R>2024-01-02T03:04:05.678Z</R>");
        assert_eq!(written(&HTTP_TIME, &late), "<R>Tue, 02 Jan 2024 03:04:05 GMT</R>");
        assert_eq!(written(&TEXT, &f64::NEG_INFINITY), "<R>-Infinity</R>");
        assert_eq!(written(&TEXT, &1.5), "<R>1.5</R>");
    }
}
