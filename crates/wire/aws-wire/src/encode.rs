//! From typed output to the protocol's writer.

use crate::schema::Member;
use environment::Timestamp;
use std::collections::BTreeMap;

/// What a protocol does with each piece of an answer. Calls arrive in document order.
///
/// A writer that needs shapes (XML) follows them from the operation's output shape through [`Writer::member`].
pub trait Writer {
    /// A structure begins.
    fn begin_structure(&mut self);
    /// The next value belongs to this member.
    fn member(&mut self, member: &'static Member);
    /// The structure ends.
    fn end_structure(&mut self);
    /// A list begins.
    fn begin_list(&mut self);
    /// The next value is an item of the list.
    fn item(&mut self);
    /// The list ends.
    fn end_list(&mut self);
    /// A map begins.
    fn begin_map(&mut self);
    /// The next value belongs to this key.
    fn key(&mut self, key: &str);
    /// The map ends.
    fn end_map(&mut self);
    /// A string.
    fn text(&mut self, value: &str);
    /// A whole number.
    fn integer(&mut self, value: i64);
    /// A floating-point number.
    fn float(&mut self, value: f64);
    /// A boolean.
    fn boolean(&mut self, value: bool);
    /// A point in time.
    fn timestamp(&mut self, value: Timestamp);
    /// Bytes.
    fn blob(&mut self, value: &[u8]);
}

/// Types that write themselves.
pub trait ToWire {
    /// Writes the value.
    fn write(&self, writer: &mut dyn Writer);

    /// Whether the value is left out of its structure.
    fn is_absent(&self) -> bool {
        false
    }
}

/// Writes `value` under `member`, unless it is absent.
pub fn write_member(writer: &mut dyn Writer, member: &'static Member, value: &dyn ToWire) {
    if !value.is_absent() {
        writer.member(member);
        value.write(writer);
    }
}

impl<T: ToWire> ToWire for Option<T> {
    fn write(&self, writer: &mut dyn Writer) {
        if let Some(value) = self {
            value.write(writer);
        }
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: ToWire> ToWire for std::sync::Arc<T> {
    fn write(&self, writer: &mut dyn Writer) {
        self.as_ref().write(writer);
    }
}

/// The answer of an operation without an output shape.
impl ToWire for () {
    fn write(&self, writer: &mut dyn Writer) {
        writer.begin_structure();
        writer.end_structure();
    }
}

impl ToWire for String {
    fn write(&self, writer: &mut dyn Writer) {
        writer.text(self);
    }
}

impl ToWire for bool {
    fn write(&self, writer: &mut dyn Writer) {
        writer.boolean(*self);
    }
}

impl ToWire for i32 {
    fn write(&self, writer: &mut dyn Writer) {
        writer.integer(i64::from(*self));
    }
}

impl ToWire for i64 {
    fn write(&self, writer: &mut dyn Writer) {
        writer.integer(*self);
    }
}

impl ToWire for f64 {
    fn write(&self, writer: &mut dyn Writer) {
        writer.float(*self);
    }
}

impl ToWire for Timestamp {
    fn write(&self, writer: &mut dyn Writer) {
        writer.timestamp(*self);
    }
}

impl ToWire for Vec<u8> {
    fn write(&self, writer: &mut dyn Writer) {
        writer.blob(self);
    }
}

/// Marks types that may be items of a list; see [`crate::FromNode`] for why `u8` is not one.
pub trait ListItem: ToWire {}

impl<T: ListItem> ToWire for Vec<T> {
    fn write(&self, writer: &mut dyn Writer) {
        writer.begin_list();
        for item in self {
            writer.item();
            item.write(writer);
        }
        writer.end_list();
    }
}

impl<T: ToWire> ToWire for BTreeMap<String, T> {
    fn write(&self, writer: &mut dyn Writer) {
        writer.begin_map();
        for (key, value) in self {
            writer.key(key);
            value.write(writer);
        }
        writer.end_map();
    }
}

impl ListItem for String {}
impl ListItem for bool {}
impl ListItem for i32 {}
impl ListItem for i64 {}
impl ListItem for f64 {}
impl ListItem for Timestamp {}
impl<T: ListItem> ListItem for Vec<T> {}
impl<T: ToWire> ListItem for BTreeMap<String, T> {}
impl<T: ListItem> ListItem for std::sync::Arc<T> {}
