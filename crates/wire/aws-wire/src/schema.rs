//! What the API model says of each shape, as static data: names per protocol and constraints.

/// A shape of the API model.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the model.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of shapes, with their constraints. Lengths of text count characters, of blobs bytes, of lists items.
#[derive(Debug)]
pub enum Kind {
    /// Named members; `union` demands exactly one of them.
    Structure {
        /// In alphabetical order.
        members: &'static [Member],
        /// A tagged union.
        union: bool,
    },
    /// A list of one shape.
    List {
        /// Shape of the items.
        item: &'static Shape,
        /// Name of an item in XML and query, when the model overrides `member`.
        item_name: Option<&'static str>,
        /// Items are written without an element around them.
        flattened: bool,
        /// Least and most number of items.
        length: Limits,
    },
    /// A map from text to one shape.
    Map {
        /// Shape of the keys.
        key: &'static Shape,
        /// Shape of the values.
        value: &'static Shape,
        /// Entries are written without an element around them.
        flattened: bool,
        /// Least and most number of entries.
        length: Limits,
    },
    /// Text.
    Text {
        /// Least and most number of characters.
        length: Limits,
        /// Regular expression that the whole text must match (a search, where the model does not anchor it).
        pattern: Option<&'static str>,
        /// Allowed values; empty when any text is allowed.
        values: &'static [&'static str],
    },
    /// A 32-bit number.
    Integer {
        /// Least and greatest value.
        range: Limits,
    },
    /// A 64-bit number.
    Long {
        /// Least and greatest value.
        range: Limits,
    },
    /// A floating-point number.
    Double {
        /// Least and greatest value.
        range: Limits,
    },
    /// A boolean.
    Boolean,
    /// A point in time.
    Timestamp {
        /// How it is written, when the model overrides the protocol's default.
        format: Option<TimestampFormat>,
    },
    /// Bytes.
    Blob {
        /// Least and most number of bytes.
        length: Limits,
    },
}

/// Inclusive bounds; `None` is unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The least allowed.
    pub min: Option<i64>,
    /// The most allowed.
    pub max: Option<i64>,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Its name in the model, which is also the key in [`crate::Node::Map`].
    pub name: &'static str,
    /// Its name on the wire where the model gives another (`locationName`).
    pub location_name: Option<&'static str>,
    /// Its name in ec2Query requests where the model gives one.
    pub query_name: Option<&'static str>,
    /// Where it travels.
    pub location: Location,
    /// Must be present in a request.
    pub required: bool,
    /// List or map written without an element around it (set on the member in some models).
    pub flattened: bool,
    /// Filled by SDKs with a fresh UUID and reused on retries.
    pub idempotency_token: bool,
    /// Not to be logged.
    pub sensitive: bool,
    /// Shape of the value.
    pub shape: &'static Shape,
}

/// Where a member travels in a REST protocol; everything is in the body for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body.
    Body,
    /// In the header named by `location_name`.
    Header,
    /// In headers that begin with `location_name`.
    Headers,
    /// In the query string.
    QueryString,
    /// In the path template.
    Uri,
    /// The HTTP status code.
    StatusCode,
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Seconds since the epoch, with a fraction.
    EpochSeconds,
    /// RFC 3339 in UTC.
    Iso8601,
    /// The date format of HTTP headers.
    HttpDate,
}

impl Shape {
    /// The members, when this is a structure.
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }
}

impl Shape {
    /// The format of a point in time, or of the points in a list of them, when the model names one.
    pub fn timestamp_format(&self) -> Option<TimestampFormat> {
        match &self.kind {
            Kind::Timestamp { format } => *format,
            Kind::List { item, .. } => item.timestamp_format(),
            _ => None,
        }
    }
}

impl Limits {
    /// No bounds.
    pub const NONE: Self = Self { min: None, max: None };

    /// Whether `value` lies inside.
    pub fn contains(&self, value: i64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}
