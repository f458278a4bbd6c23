//! What records can be found by, and the hashes that the indexes hold.

/// What a record can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Name of the operation.
    EventName,
    /// The service.
    EventSource,
    /// Name of the caller, see [`crate::Identity::username`].
    Username,
    /// The access key.
    AccessKeyId,
    /// Type of a resource.
    ResourceType,
    /// Name of a resource.
    ResourceName,
    /// Account whose record it is.
    Account,
}

/// All attributes with a text.
pub(crate) const ATTRIBUTES: [Attribute; 7] = [
    Attribute::EventName,
    Attribute::EventSource,
    Attribute::Username,
    Attribute::AccessKeyId,
    Attribute::ResourceType,
    Attribute::ResourceName,
    Attribute::Account,
];

impl Attribute {
    /// One bit for each attribute: what a text of a batch is used as.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The hash by which an index knows a text used as this attribute. Two texts may share one: what is found is
    /// compared again.
    pub(crate) fn term(self, text: &str) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[self as u8]);
        hasher.update(text.as_bytes());
        hasher.finalize()
    }
}
