//! Reading a batch back, and finding records in it.

use super::bytes::{Reader, uuid_text};
use super::{CONTEXT_TEXTS, Context, FORMAT, Kinds, RequestId, Summary, flag, identity, place};
use crate::event::{Event, EventType, IDENTITY_TEXTS, Resource, StoredEvent, StoredIdentity};
use crate::event_id::EventIds;
use crate::terms::{ATTRIBUTES, Attribute};
use bytes::Bytes;
use environment::Timestamp;

/// A batch that is read.
pub(crate) struct Batch {
    bytes: Bytes,
    summary: Summary,
    texts: Vec<Text>,
    contexts: Vec<Context>,
    records: Vec<Record>,
    resources: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
struct Text {
    start: u32,
    end: u32,
    used_as: u8,
}

struct Record {
    time: i64,
    flags: u8,
    context: u32,
    source: u32,
    name: u32,
    request: Request,
    error: Option<(u32, u32)>,
    parameters: Option<u32>,
    response: Option<u32>,
    resources: std::ops::Range<u32>,
}

enum Request {
    Uuid([u8; 16]),
    Text(u32),
}

impl Batch {
    /// Reads a batch; `None` when the bytes are none.
    pub(crate) fn decode(bytes: Bytes) -> Option<Self> {
        let whole = bytes.clone();
        let mut reader = Reader(&whole);
        if reader.byte()? != FORMAT {
            return None;
        }
        let summary = summary(&mut reader)?;
        let base = reader.signed()?;
        let texts = texts(&mut reader, bytes.len())?;
        let count = reader.count()?;
        let contexts = (0..count).map(|_| context(&mut reader)).collect::<Option<Vec<_>>>()?;
        let mut resources = Vec::new();
        let records = (0..summary.count)
            .map(|_| record(&mut reader, base, &mut resources))
            .collect::<Option<Vec<_>>>()?;
        let batch = Self { bytes, summary, texts, contexts, records, resources };
        batch.is_sound().then_some(batch)
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// The hashes under which an index must know this batch.
    pub(crate) fn terms(&self) -> Vec<u32> {
        let mut terms = Vec::new();
        for (number, text) in self.texts.iter().enumerate().filter(|(_, text)| text.used_as != 0) {
            let content = self.text(number as u32);
            if !content.is_empty() {
                let uses = ATTRIBUTES.iter().filter(|attribute| text.used_as & attribute.bit() != 0);
                terms.extend(uses.map(|attribute| attribute.term(content)));
            }
        }
        terms
    }

    /// The number of a text that is used as an attribute here.
    pub(crate) fn find(&self, attribute: Attribute, text: &str) -> Option<u32> {
        let used = |candidate: &&(usize, &Text)| candidate.1.used_as & attribute.bit() != 0;
        let mut candidates = self.texts.iter().enumerate();
        let found =
            candidates.by_ref().find(|candidate| used(&candidate) && self.text(candidate.0 as u32) == text);
        found.map(|(number, _)| number as u32)
    }

    /// Whether the record at `index` has the text with this number as an attribute.
    pub(crate) fn has(&self, index: usize, attribute: Attribute, number: u32) -> bool {
        let record = &self.records[index];
        let context = |place: usize| self.contexts[record.context as usize].texts[place] == number;
        match attribute {
            Attribute::EventName => record.name == number,
            Attribute::EventSource => record.source == number,
            Attribute::Username => context(place::USERNAME),
            Attribute::AccessKeyId => context(place::ACCESS_KEY),
            Attribute::Account => context(place::ACCOUNT),
            Attribute::ResourceType => self.resources(record).iter().any(|(kind, _)| *kind == number),
            Attribute::ResourceName => self.resources(record).iter().any(|(_, name)| *name == number),
        }
    }

    pub(crate) fn is_read_only(&self, index: usize) -> bool {
        self.records[index].flags & flag::READ_ONLY != 0
    }

    pub(crate) fn is_data(&self, index: usize) -> bool {
        self.records[index].flags & flag::DATA != 0
    }

    pub(crate) fn time(&self, index: usize) -> Timestamp {
        Timestamp::from_millis(self.records[index].time)
    }

    /// Hands every record to `visit`, borrowed.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&Event<'_>, RequestId<'_>)) {
        let mut resources = Vec::new();
        for record in &self.records {
            resources.clear();
            let named = self.resources(record).iter();
            resources.extend(
                named.map(|(kind, name)| Resource { kind: self.text(*kind), name: self.text(*name) }),
            );
            let request = match &record.request {
                Request::Uuid(uuid) => RequestId::Uuid(*uuid),
                Request::Text(number) => RequestId::Text(self.text(*number)),
            };
            visit(&self.event(record, &resources), request);
        }
    }

    /// The record at `index`, to keep.
    pub(crate) fn stored(&self, index: usize, ids: EventIds) -> StoredEvent {
        let record = &self.records[index];
        let event = self.event(record, &[]);
        let context = &self.contexts[record.context as usize];
        let sequence = self.summary.first + index as u64;
        let session = context.session.map(|(at, mfa)| (Timestamp::from_millis(at), mfa));
        let texts: [String; IDENTITY_TEXTS] =
            std::array::from_fn(|index| self.text(context.texts[index]).to_owned());
        StoredEvent {
            sequence,
            id: ids.id(sequence),
            time: event.time,
            source: event.source.to_owned(),
            name: event.name.to_owned(),
            region: event.region.to_owned(),
            account: event.account.to_owned(),
            identity: StoredIdentity { texts, session },
            source_address: event.source_address.to_owned(),
            user_agent: event.user_agent.to_owned(),
            error: event.error.map(|(code, message)| (code.to_owned(), message.to_owned())),
            request_parameters: event.request_parameters.map(str::to_owned),
            response_elements: event.response_elements.map(str::to_owned),
            request_id: match &record.request {
                Request::Uuid(uuid) => uuid_text(uuid),
                Request::Text(number) => self.text(*number).to_owned(),
            },
            read_only: event.read_only,
            data: event.data,
            event_type: event.event_type,
            resources: self
                .resources(record)
                .iter()
                .map(|(kind, name)| (self.text(*kind).to_owned(), self.text(*name).to_owned()))
                .collect(),
        }
    }

    fn event<'a>(&'a self, record: &Record, resources: &'a [Resource<'a>]) -> Event<'a> {
        let context = &self.contexts[record.context as usize];
        let texts: [&str; CONTEXT_TEXTS] = std::array::from_fn(|index| self.text(context.texts[index]));
        let service = record.flags & flag::SERVICE_EVENT != 0;
        Event {
            time: Timestamp::from_millis(record.time),
            source: self.text(record.source),
            name: self.text(record.name),
            region: texts[place::REGION],
            account: texts[place::ACCOUNT],
            identity: identity(&texts, context.session),
            source_address: texts[place::ADDRESS],
            user_agent: texts[place::USER_AGENT],
            error: record.error.map(|(code, message)| (self.text(code), self.text(message))),
            request_parameters: record.parameters.map(|number| self.text(number)),
            response_elements: record.response.map(|number| self.text(number)),
            request_id: "",
            read_only: record.flags & flag::READ_ONLY != 0,
            data: record.flags & flag::DATA != 0,
            event_type: if service { EventType::ServiceEvent } else { EventType::ApiCall },
            resources,
        }
    }

    fn resources(&self, record: &Record) -> &[(u32, u32)] {
        &self.resources[record.resources.start as usize..record.resources.end as usize]
    }

    fn text(&self, number: u32) -> &str {
        let span = self.texts.get(number as usize);
        let bytes = span.and_then(|text| self.bytes.get(text.start as usize..text.end as usize));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Numbers of contexts are inside their list; numbers of texts are checked where they are read.
    fn is_sound(&self) -> bool {
        self.records.iter().all(|record| (record.context as usize) < self.contexts.len())
    }
}

/// Reads a summary.
pub(crate) fn summary(reader: &mut Reader<'_>) -> Option<Summary> {
    let (first, count) = (reader.varint()?, reader.small()?);
    let (earliest, latest) = (reader.signed()?, reader.signed()?);
    first.checked_add(count.into())?;
    Some(Summary {
        first,
        count,
        earliest: Timestamp::from_millis(earliest),
        latest: Timestamp::from_millis(latest),
        kinds: Kinds(reader.byte()?),
    })
}

fn texts(reader: &mut Reader<'_>, whole: usize) -> Option<Vec<Text>> {
    let count = reader.count()?;
    let mut texts = Vec::with_capacity(count);
    let mut at = 0u32;
    for _ in 0..count {
        let (used_as, length) = (reader.byte()?, reader.small()?);
        let end = at.checked_add(length)?;
        texts.push(Text { start: at, end, used_as });
        at = end;
    }
    if reader.small()? != at {
        return None;
    }
    let start = (whole - reader.0.len()) as u32;
    reader.take(at as usize)?;
    start.checked_add(at)?;
    for text in &mut texts {
        text.start += start;
        text.end += start;
    }
    Some(texts)
}

fn context(reader: &mut Reader<'_>) -> Option<Context> {
    let mut texts = [0; CONTEXT_TEXTS];
    for text in &mut texts {
        *text = reader.small()?;
    }
    let session = match reader.byte()? {
        0 => None,
        mfa => Some((reader.signed()?, mfa == 2)),
    };
    Some(Context { texts, session })
}

fn record(reader: &mut Reader<'_>, base: i64, resources: &mut Vec<(u32, u32)>) -> Option<Record> {
    let flags = reader.byte()?;
    let has = |bit: u8| flags & bit != 0;
    let time = base.wrapping_add(reader.signed()?);
    let (context, source, name) = (reader.small()?, reader.small()?, reader.small()?);
    let request = if has(flag::REQUEST_IS_UUID) {
        Request::Uuid(reader.take(16)?.try_into().ok()?)
    } else {
        Request::Text(reader.small()?)
    };
    let error = if has(flag::ERROR) { Some((reader.small()?, reader.small()?)) } else { None };
    let parameters = if has(flag::PARAMETERS) { Some(reader.small()?) } else { None };
    let response = if has(flag::RESPONSE) { Some(reader.small()?) } else { None };
    let first = resources.len() as u32;
    if has(flag::RESOURCES) {
        for _ in 0..reader.count()? {
            resources.push((reader.small()?, reader.small()?));
        }
    }
    let resources = first..resources.len() as u32;
    Some(Record { time, flags, context, source, name, request, error, parameters, response, resources })
}
