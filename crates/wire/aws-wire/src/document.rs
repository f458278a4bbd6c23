//! Members of which the model says only that they are JSON.

use crate::{DecodeError, FromNode, Node, ReadItem, ToWire, WriteItem, Writer, json};

/// A JSON object as it was sent. What is null in it counts as absent, as everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Node);

impl Document {
    /// As JSON text.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&json::to_vec(self)).into_owned()
    }

    /// From the JSON text of an object; `None` when it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        json::from_slice(text.as_bytes()).ok().map(Self)
    }
}

impl ReadItem for Document {}
impl FromNode for Document {
    fn from_node(node: Node) -> Result<Self, DecodeError> {
        node.into_members().map(|members| Self(Node::Map(members)))
    }
}

impl WriteItem for Document {}
impl ToWire for Document {
    fn write(&self, writer: &mut dyn Writer) {
        self.0.write(writer);
    }
}

/// Values of which no shape is known are written by their kinds.
impl ToWire for Node {
    fn write(&self, writer: &mut dyn Writer) {
        match self {
            // There is nothing else that every protocol can write for it.
            Self::Null => writer.text(""),
            Self::Bool(value) => writer.boolean(*value),
            Self::Integer(value) => writer.integer(*value),
            Self::Float(value) => writer.float(*value),
            Self::Text(text) => writer.text(text),
            Self::Blob(bytes) => writer.blob(bytes),
            Self::List(items) => {
                writer.begin_list();
                for item in items {
                    writer.item();
                    item.write(writer);
                }
                writer.end_list();
            }
            Self::Map(members) => {
                writer.begin_map();
                for (key, value) in members.iter().filter(|(_, value)| *value != Self::Null) {
                    writer.key(key);
                    value.write(writer);
                }
                writer.end_map();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back() {
        let text = r#"{"a":[1,2.5,"x",{"b":true}],"c":{}}"#;
        let document = Document::from_text(text).expect("an object");
        assert_eq!(document.to_text(), text);
        assert_eq!(Document::from_text(r#"{"a":null}"#).expect("an object").to_text(), "{}");
        assert!(Document::from_text("[1]").is_none() && Document::from_text("{").is_none());
    }
}
