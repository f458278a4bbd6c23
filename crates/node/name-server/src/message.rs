//! As much of the DNS message format as forwarding and zones of our own need (RFC 1035, RFC 2308, RFC 6891).

use dns_zones::{Authority, Record, RecordData, RecordType, ZoneAnswer};

const HEADER: usize = 12;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
/// Set in the third byte: the answer is not whole.
const TRUNCATED: u8 = 0x02;
/// Bytes of a datagram that every client takes, and those that pass everywhere unbroken.
const DATAGRAM: usize = 512;
const LARGE_DATAGRAM: usize = 1232;
/// Bytes of the record that says which datagrams we take.
const OPT: usize = 11;
/// The figures of an SOA record that only secondary servers read: serial, refresh, retry, expire.
const SOA_TIMES: [u32; 4] = [1, 7200, 900, 1_209_600];

/// The question of a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Lower-case, without the last dot.
    pub(crate) name: String,
    pub(crate) kind: RecordType,
    class: u16,
    /// Where the question ends in the message.
    end: usize,
    /// The largest datagram that the client takes, if it says.
    datagram: Option<usize>,
}

/// Reads the one question of a query; `None` for what is no plain query.
pub(crate) fn question(query: &[u8]) -> Option<Question> {
    // An answer, or another operation than a query.
    if query.len() < HEADER || query[2] & 0xf8 != 0 || number(query, 4)? != 1 {
        return None;
    }
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        // A pointer has no place in a first name.
        if length > 63 || name.len() + length > 254 {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(query.get(at..at + length)?.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        at += length;
    }
    let (kind, class, end) = (number(query, at)?, number(query, at + 2)?, at + 4);
    Some(Question { name, kind: RecordType(kind), class, end, datagram: datagram(query, end) })
}

/// What the OPT record behind the question says; clients send it as the only record.
fn datagram(query: &[u8], at: usize) -> Option<usize> {
    let alone = number(query, 6)? == 0 && number(query, 8)? == 0 && number(query, 10)? > 0;
    let is_opt = alone && *query.get(at)? == 0 && number(query, at + 1)? == TYPE_OPT;
    is_opt.then_some(usize::from(number(query, at + 3)?))
}

impl Question {
    /// Whether it is one that zones can answer: of the class of the internet.
    pub(crate) fn is_for_zones(&self) -> bool {
        self.class == CLASS_IN
    }

    /// Bytes that an answer in a datagram may have.
    pub(crate) fn datagram(&self) -> usize {
        self.datagram.map_or(DATAGRAM, |size| size.clamp(DATAGRAM, LARGE_DATAGRAM))
    }
}

/// Whether `answer` is one to `query`.
pub(crate) fn answers(answer: &[u8], query: &[u8]) -> bool {
    let (Some(asked), true) = (question(query), answer.len() >= HEADER) else { return false };
    let end = asked.end;
    answer[..2] == query[..2]
        && answer[2] & 0x80 != 0
        && answer.get(HEADER..end).is_some_and(|echo| echo.eq_ignore_ascii_case(&query[HEADER..end]))
}

/// The answer of a zone as a message of at most `limit` bytes; marked as truncated when there were more records.
pub(crate) fn zone_answer(query: &[u8], question: &Question, found: &ZoneAnswer, limit: usize) -> Vec<u8> {
    match found {
        ZoneAnswer::Records(records) => with_records(query, question, records, limit),
        ZoneAnswer::NoData(authority) => with_authority(query, question, 0, authority.as_ref()),
        ZoneAnswer::NoName(authority) => with_authority(query, question, NXDOMAIN, Some(authority)),
    }
}

fn with_records(query: &[u8], question: &Question, records: &[Record], limit: usize) -> Vec<u8> {
    let mut answer = reply(query, question, 0);
    let mut count: u16 = 0;
    let room = limit - if question.datagram.is_some() { OPT } else { 0 };
    for record in records {
        let Some((kind, data)) = encode(&record.data) else { continue };
        if question.kind != kind && question.kind != RecordType::ANY {
            continue;
        }
        let record = resource(kind, record.ttl, &data);
        if answer.len() + record.len() > room {
            answer[2] |= TRUNCATED;
            break;
        }
        answer.extend(record);
        count += 1;
    }
    answer[6..8].copy_from_slice(&count.to_be_bytes());
    with_opt(answer, question)
}

fn with_authority(query: &[u8], question: &Question, code: u8, authority: Option<&Authority>) -> Vec<u8> {
    let mut answer = reply(query, question, code);
    if let Some(record) = authority.and_then(|authority| start_of_authority(question, authority)) {
        answer.extend(record);
        answer[8..10].copy_from_slice(&1u16.to_be_bytes());
    }
    with_opt(answer, question)
}

/// The SOA record that lets a resolver keep an answer that says that there is nothing.
fn start_of_authority(question: &Question, authority: &Authority) -> Option<Vec<u8>> {
    // The zone ends the name that was asked for, so its name is in the message already.
    let before = question.name.len().checked_sub(authority.zone.len())?;
    let owner = u16::try_from(HEADER + before).ok()? | 0xc000;
    let mut data = name(&format!("ns.{}", authority.zone))?;
    data.extend(name(&format!("hostmaster.{}", authority.zone))?);
    for figure in SOA_TIMES.into_iter().chain([authority.ttl]) {
        data.extend(figure.to_be_bytes());
    }
    let mut record = resource(RecordType::SOA, authority.ttl, &data);
    record[..2].copy_from_slice(&owner.to_be_bytes());
    Some(record)
}

/// A record of the name that was asked for.
fn resource(kind: RecordType, ttl: u32, data: &[u8]) -> Vec<u8> {
    // A pointer to the question's name.
    let mut record = vec![0xc0, HEADER as u8];
    record.extend(kind.0.to_be_bytes());
    record.extend(CLASS_IN.to_be_bytes());
    record.extend(ttl.to_be_bytes());
    record.extend((data.len() as u16).to_be_bytes());
    record.extend(data);
    record
}

/// The type and the bytes of a record; `None` when it holds what is no name.
fn encode(data: &RecordData) -> Option<(RecordType, Vec<u8>)> {
    Some(match data {
        RecordData::A(address) => (RecordType::A, address.octets().to_vec()),
        RecordData::Aaaa(address) => (RecordType::AAAA, address.octets().to_vec()),
        RecordData::Srv { priority, weight, port, target } => {
            let mut bytes: Vec<u8> =
                [priority, weight, port].into_iter().flat_map(|number| number.to_be_bytes()).collect();
            // Never compressed, as RFC 2782 demands.
            bytes.extend(name(target)?);
            (RecordType::SRV, bytes)
        }
    })
}

fn name(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    for label in text.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    (bytes.len() <= 255).then_some(bytes)
}

/// Adds the OPT record, if the client sent one.
fn with_opt(mut answer: Vec<u8>, question: &Question) -> Vec<u8> {
    if question.datagram.is_some() {
        answer.push(0);
        answer.extend(TYPE_OPT.to_be_bytes());
        answer.extend((LARGE_DATAGRAM as u16).to_be_bytes());
        answer.extend([0; 6]);
        answer[10..HEADER].copy_from_slice(&1u16.to_be_bytes());
    }
    answer
}

/// The answer when no resolver gave one.
pub(crate) fn failure(query: &[u8], question: &Question) -> Vec<u8> {
    reply(query, question, SERVFAIL)
}

fn reply(query: &[u8], question: &Question, code: u8) -> Vec<u8> {
    let mut answer = query[..question.end].to_vec();
    // An answer; whether recursion was wanted stays as it was, and it is available.
    answer[2] = 0x80 | (query[2] & 0x01);
    answer[3] = 0x80 | code;
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    answer
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// A query for the A records of a name.
#[cfg(test)]
pub(crate) fn query(id: u16, name: &str) -> Vec<u8> {
    query_of(id, name, RecordType::A)
}

#[cfg(test)]
fn query_of(id: u16, name: &str, kind: RecordType) -> Vec<u8> {
    let mut query = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    query.extend(self::name(name).expect("a name"));
    query.extend(kind.0.to_be_bytes());
    query.extend([0, 1]);
    query
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn address(last: u8) -> Record {
        Record { ttl: 60, data: RecordData::A(Ipv4Addr::new(10, 88, 0, last)) }
    }

    fn place(last: u16) -> Record {
        let target = format!("{last:032x}.worker.{}.example.internal", "n".repeat(60));
        Record { ttl: 10, data: RecordData::Srv { priority: 1, weight: 1, port: 8000 + last, target } }
    }

    /// Counts of answers, authorities and further records, and the code.
    fn counts(answer: &[u8]) -> (u16, u16, u16, u8) {
        let count = |at| number(answer, at).expect("a header");
        (count(6), count(8), count(10), answer[3] & 0x0f)
    }

    #[test]
    fn a_query_is_read_and_answered() {
        let query = query(7, "Web.Local");
        let asked = question(&query).expect("a question");
        assert_eq!((asked.name.as_str(), asked.kind, asked.end), ("web.local", RecordType::A, query.len()));
        let found = ZoneAnswer::Records(vec![address(9), place(1)]);
        let answer = zone_answer(&query, &asked, &found, asked.datagram());
        assert!(answers(&answer, &query));
        assert_eq!(counts(&answer), (1, 0, 0, 0));
        assert_eq!(&answer[answer.len() - 10..], &[0, 0, 0, 60, 0, 4, 10, 88, 0, 9]);
        assert_eq!(failure(&query, &asked)[3] & 0x0f, SERVFAIL);
    }

    #[test]
    fn services_and_ipv6_are_answered_with_their_types() {
        let query = query_of(7, "worker.local", RecordType::SRV);
        let asked = question(&query).expect("a question");
        let data =
            RecordData::Srv { priority: 1, weight: 2, port: 0x1f90, target: "a.worker.local".to_owned() };
        let found = ZoneAnswer::Records(vec![address(9), Record { ttl: 15, data }]);
        let answer = zone_answer(&query, &asked, &found, asked.datagram());
        let expected = [&[0, 22, 0, 1, 0, 2, 0x1f, 0x90, 1, b'a', 6][..], b"worker", &[5], b"local", &[0]];
        let expected = expected.concat();
        assert_eq!((counts(&answer), &answer[answer.len() - 24..]), ((1, 0, 0, 0), &expected[..]));

        let query = query_of(7, "worker.local", RecordType::AAAA);
        let asked = question(&query).expect("a question");
        let found =
            ZoneAnswer::Records(vec![Record { ttl: 15, data: RecordData::Aaaa(Ipv6Addr::LOCALHOST) }]);
        let answer = zone_answer(&query, &asked, &found, asked.datagram());
        assert_eq!(&answer[answer.len() - 16..], &Ipv6Addr::LOCALHOST.octets());
    }

    #[test]
    fn what_is_not_there_is_told_with_the_zone() {
        let query = query(7, "x.worker.local");
        let asked = question(&query).expect("a question");
        let zone = Authority { zone: "worker.local".to_owned(), ttl: 15 };
        let answer = zone_answer(&query, &asked, &ZoneAnswer::NoName(zone.clone()), 512);
        assert_eq!(counts(&answer), (0, 1, 0, NXDOMAIN));
        // The owner points behind the first label, and the last figure is the TTL of the answer.
        assert_eq!(&answer[query.len()..query.len() + 4], &[0xc0, 14, 0, 6]);
        assert_eq!(&answer[answer.len() - 4..], &15u32.to_be_bytes());
        assert_eq!(counts(&zone_answer(&query, &asked, &ZoneAnswer::NoData(Some(zone)), 512)), (0, 1, 0, 0));
        assert_eq!(counts(&zone_answer(&query, &asked, &ZoneAnswer::NoData(None), 512)), (0, 0, 0, 0));
    }

    #[test]
    fn an_answer_fits_what_the_client_takes() {
        let found = ZoneAnswer::Records((0..8).map(place).collect());
        let plain = query_of(7, "worker.local", RecordType::SRV);
        let asked = question(&plain).expect("a question");
        let answer = zone_answer(&plain, &asked, &found, asked.datagram());
        assert!(answer.len() <= 512 && answer[2] & TRUNCATED != 0);
        let whole = zone_answer(&plain, &asked, &found, usize::from(u16::MAX));
        assert!(whole.len() > 512 && whole[2] & TRUNCATED == 0);
        assert_eq!(counts(&whole), (8, 0, 0, 0));

        let mut large = plain.clone();
        large[11] = 1;
        large.extend([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
        let asked = question(&large).expect("a question");
        assert_eq!(asked.datagram(), LARGE_DATAGRAM);
        let answer = zone_answer(&large, &asked, &found, asked.datagram());
        assert!((513..=LARGE_DATAGRAM).contains(&answer.len()));
        assert_eq!(counts(&answer).2, 1, "it says that it understood");
    }

    #[test]
    fn broken_messages_are_no_questions() {
        let whole = query(7, "a.b");
        for length in 0..whole.len() {
            assert_eq!(question(&whole[..length]), None);
        }
        let mut pointer = whole.clone();
        pointer[12] = 0xc0;
        assert_eq!(question(&pointer), None);
        let mut answer = whole.clone();
        answer[2] |= 0x80;
        assert_eq!(question(&answer), None);
        assert!(!answers(&[0; 5], &whole));
    }
}
