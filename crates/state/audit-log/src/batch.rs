//! Many records in few bytes: every text is written once, records name texts by their number.
//!
//! A batch is what one write to the journal holds, and what one part of a block holds. It can be read by itself.

mod bytes;
mod decode;
mod texts;

pub(crate) use bytes::{Reader, put_signed, put_varint};
pub(crate) use decode::{Batch, summary as read_summary};

use crate::event::{Event, EventType, IDENTITY_TEXTS, Identity, Session, identity_texts};
use crate::terms::Attribute;
use bytes::uuid_bytes;
use environment::Timestamp;
use texts::Texts;

/// Format of the bytes.
const FORMAT: u8 = 1;
/// Texts of a context: those of the identity, its username, the address, the user agent, the region, the account.
const CONTEXT_TEXTS: usize = IDENTITY_TEXTS + 5;
/// Contexts that are compared before an event's is looked for by its texts.
const RECENT: usize = 4;

/// Bits of a record's first byte.
mod flag {
    pub(super) const READ_ONLY: u8 = 1;
    pub(super) const DATA: u8 = 2;
    pub(super) const ERROR: u8 = 4;
    pub(super) const PARAMETERS: u8 = 8;
    pub(super) const RESPONSE: u8 = 16;
    pub(super) const SERVICE_EVENT: u8 = 32;
    pub(super) const REQUEST_IS_UUID: u8 = 64;
    pub(super) const RESOURCES: u8 = 128;
}

/// What is in a batch, and so whether it must be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Sequence number of the first record; the others follow without a gap.
    pub(crate) first: u64,
    /// Number of records.
    pub(crate) count: u32,
    /// Earliest time of a record.
    pub(crate) earliest: Timestamp,
    /// Latest time of a record.
    pub(crate) latest: Timestamp,
    /// Which kinds of records there are.
    pub(crate) kinds: Kinds,
}

/// Which kinds of records a batch has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(pub(crate) u8);

impl Kinds {
    pub(crate) const READ_ONLY: u8 = 1;
    pub(crate) const WRITE: u8 = 2;
    pub(crate) const MANAGEMENT: u8 = 4;
}

impl Summary {
    /// The number after the last record's.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// Who called from where: what most records share with the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Context {
    texts: [u32; CONTEXT_TEXTS],
    session: Option<(i64, bool)>,
}

/// The id of a request.
#[derive(Clone, Copy)]
pub(crate) enum RequestId<'a> {
    Uuid([u8; 16]),
    Text(&'a str),
}

/// A batch that grows.
pub(crate) struct Builder {
    summary: Summary,
    base: Timestamp,
    texts: Texts,
    contexts: Vec<Context>,
    recent: [u32; RECENT],
    records: Vec<u8>,
}

impl Builder {
    /// An empty batch whose first record will have this sequence number.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            summary: empty(first),
            base: Timestamp::default(),
            texts: Texts::default(),
            contexts: Vec::new(),
            recent: [0; RECENT],
            records: Vec::new(),
        }
    }

    /// Empties the batch, keeping its memory.
    pub(crate) fn restart(&mut self, first: u64) {
        self.summary = empty(first);
        self.texts.clear();
        self.contexts.clear();
        self.recent = [0; RECENT];
        self.records.clear();
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// About the bytes that [`Builder::encode`] will make.
    pub(crate) fn size(&self) -> usize {
        self.records.len() + self.texts.size() + self.contexts.len() * CONTEXT_TEXTS
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, event: &Event<'_>) {
        let request = match uuid_bytes(event.request_id) {
            Some(uuid) => RequestId::Uuid(uuid),
            None => RequestId::Text(event.request_id),
        };
        self.push_with(event, request);
    }

    /// Adds a record whose request id is read already.
    pub(crate) fn push_with(&mut self, event: &Event<'_>, request: RequestId<'_>) {
        if self.summary.count == 0 {
            self.base = event.time;
            (self.summary.earliest, self.summary.latest) = (event.time, event.time);
        }
        let context = self.context(event);
        let source = self.texts.number(event.source, Attribute::EventSource.bit());
        let name = self.texts.number(event.name, Attribute::EventName.bit());
        self.records.push(flags(event, request));
        let time = event.time.as_millis().wrapping_sub(self.base.as_millis());
        put_signed(&mut self.records, time);
        for number in [context, source, name] {
            put_varint(&mut self.records, number.into());
        }
        match request {
            RequestId::Uuid(uuid) => self.records.extend_from_slice(&uuid),
            RequestId::Text(text) => self.text(text, 0),
        }
        if let Some((code, message)) = event.error {
            self.text(code, 0);
            self.text(message, 0);
        }
        for json in [event.request_parameters, event.response_elements].into_iter().flatten() {
            self.text(json, 0);
        }
        if !event.resources.is_empty() {
            put_varint(&mut self.records, event.resources.len() as u64);
            for resource in event.resources {
                self.text(resource.kind, Attribute::ResourceType.bit());
                self.text(resource.name, Attribute::ResourceName.bit());
            }
        }
        self.count(event);
    }

    fn count(&mut self, event: &Event<'_>) {
        let summary = &mut self.summary;
        summary.count += 1;
        summary.earliest = summary.earliest.min(event.time);
        summary.latest = summary.latest.max(event.time);
        summary.kinds.0 |= if event.read_only { Kinds::READ_ONLY } else { Kinds::WRITE };
        if !event.data {
            summary.kinds.0 |= Kinds::MANAGEMENT;
        }
    }

    fn text(&mut self, text: &str, used_as: u8) {
        let number = self.texts.number(text, used_as);
        put_varint(&mut self.records, number.into());
    }

    /// The number of the event's context.
    fn context(&mut self, event: &Event<'_>) -> u32 {
        let texts = context_texts(event);
        let session = event.identity.session.map(|session| (session.created_at.as_millis(), session.mfa));
        let same = |number: u32| {
            self.contexts.get(number as usize).is_some_and(|context| {
                context.session == session
                    && context.texts.iter().zip(&texts).all(|(number, text)| self.texts.get(*number) == *text)
            })
        };
        if let Some(number) = self.recent.into_iter().find(|number| same(*number)) {
            return number;
        }
        let numbers = std::array::from_fn(|index| self.texts.number(texts[index], context_use(index)));
        let context = Context { texts: numbers, session };
        // Callers are few; a batch that has many is written soon.
        let known = self.contexts.iter().position(|known| *known == context);
        let number = known.unwrap_or_else(|| {
            self.contexts.push(context);
            self.contexts.len() - 1
        }) as u32;
        self.recent.rotate_right(1);
        self.recent[0] = number;
        number
    }

    /// The batch as bytes, and its summary.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size() + 64);
        out.push(FORMAT);
        put_summary(&mut out, &self.summary);
        put_signed(&mut out, self.base.as_millis());
        self.texts.encode(&mut out);
        put_varint(&mut out, self.contexts.len() as u64);
        for context in &self.contexts {
            for number in context.texts {
                put_varint(&mut out, number.into());
            }
            match context.session {
                None => out.push(0),
                Some((created_at, mfa)) => {
                    out.push(1 + u8::from(mfa));
                    put_signed(&mut out, created_at);
                }
            }
        }
        out.extend_from_slice(&self.records);
        out
    }

    /// The hashes under which an index must know this batch.
    pub(crate) fn terms(&self) -> Vec<u32> {
        self.texts.terms()
    }
}

fn empty(first: u64) -> Summary {
    let never = Timestamp::default();
    Summary { first, count: 0, earliest: never, latest: never, kinds: Kinds::default() }
}

fn flags(event: &Event<'_>, request: RequestId<'_>) -> u8 {
    let mut flags = 0;
    for (set, bit) in [
        (event.read_only, flag::READ_ONLY),
        (event.data, flag::DATA),
        (event.error.is_some(), flag::ERROR),
        (event.request_parameters.is_some(), flag::PARAMETERS),
        (event.response_elements.is_some(), flag::RESPONSE),
        (event.event_type == EventType::ServiceEvent, flag::SERVICE_EVENT),
        (matches!(request, RequestId::Uuid(_)), flag::REQUEST_IS_UUID),
        (!event.resources.is_empty(), flag::RESOURCES),
    ] {
        if set {
            flags |= bit;
        }
    }
    flags
}

/// The texts of an event's context in their stored order.
fn context_texts<'a>(event: &Event<'a>) -> [&'a str; CONTEXT_TEXTS] {
    let mut texts = [""; CONTEXT_TEXTS];
    texts[..IDENTITY_TEXTS].copy_from_slice(&identity_texts(&event.identity));
    let rest =
        [event.identity.username(), event.source_address, event.user_agent, event.region, event.account];
    texts[IDENTITY_TEXTS..].copy_from_slice(&rest);
    texts
}

/// Places of texts in a context that records are found by.
mod place {
    use super::IDENTITY_TEXTS;
    pub(super) const ACCESS_KEY: usize = 4;
    pub(super) const USERNAME: usize = IDENTITY_TEXTS;
    pub(super) const ADDRESS: usize = IDENTITY_TEXTS + 1;
    pub(super) const USER_AGENT: usize = IDENTITY_TEXTS + 2;
    pub(super) const REGION: usize = IDENTITY_TEXTS + 3;
    pub(super) const ACCOUNT: usize = IDENTITY_TEXTS + 4;
}

/// What the text at a place of the context is used as.
fn context_use(index: usize) -> u8 {
    match index {
        place::ACCESS_KEY => Attribute::AccessKeyId.bit(),
        place::USERNAME => Attribute::Username.bit(),
        place::ACCOUNT => Attribute::Account.bit(),
        _ => 0,
    }
}

/// Writes a summary.
pub(crate) fn put_summary(out: &mut Vec<u8>, summary: &Summary) {
    put_varint(out, summary.first);
    put_varint(out, summary.count.into());
    put_signed(out, summary.earliest.as_millis());
    put_signed(out, summary.latest.as_millis());
    out.push(summary.kinds.0);
}

/// The identity whose texts these are.
fn identity<'a>(texts: &[&'a str; CONTEXT_TEXTS], session: Option<(i64, bool)>) -> Identity<'a> {
    Identity {
        kind: texts[0],
        principal_id: texts[1],
        arn: texts[2],
        account: texts[3],
        access_key_id: texts[4],
        user_name: texts[5],
        invoked_by: texts[6],
        session: session.map(|(created_at, mfa)| Session {
            issuer_kind: texts[7],
            issuer_principal_id: texts[8],
            issuer_arn: texts[9],
            issuer_account: texts[10],
            issuer_name: texts[11],
            created_at: Timestamp::from_millis(created_at),
            mfa,
        }),
    }
}

#[cfg(test)]
mod tests;
