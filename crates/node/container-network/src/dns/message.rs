//! As much of the DNS message format as forwarding and a few own names need.

use std::net::Ipv4Addr;

const HEADER: usize = 12;
/// Seconds that an answer of ours may be kept; names change with their tasks.
const TTL: u32 = 5;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
const SERVFAIL: u8 = 2;
/// The most addresses in one answer, so that it fits a datagram.
const MAX_ADDRESSES: usize = 24;

/// The question of a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Lower-case, without the last dot.
    pub(super) name: String,
    kind: u16,
    class: u16,
    /// Where the question ends in the message.
    end: usize,
}

/// Reads the one question of a query; `None` for what is no plain query.
pub(super) fn question(query: &[u8]) -> Option<Question> {
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
    Some(Question { name, kind: number(query, at)?, class: number(query, at + 2)?, end: at + 4 })
}

/// Whether `answer` is one to `query`.
pub(super) fn answers(answer: &[u8], query: &[u8]) -> bool {
    let (Some(asked), true) = (question(query), answer.len() >= HEADER) else { return false };
    let end = asked.end;
    answer[..2] == query[..2]
        && answer[2] & 0x80 != 0
        && answer.get(HEADER..end).is_some_and(|echo| echo.eq_ignore_ascii_case(&query[HEADER..end]))
}

/// The answer to a query for a name that is ours. Other types than A exist for it too, but are empty.
pub(super) fn local_answer(query: &[u8], question: &Question, addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut answer = reply(query, question, 0);
    if question.kind == TYPE_A && question.class == CLASS_IN {
        let addresses = &addresses[..addresses.len().min(MAX_ADDRESSES)];
        answer[6..8].copy_from_slice(&(addresses.len() as u16).to_be_bytes());
        for address in addresses {
            // A pointer to the question's name.
            answer.extend([0xc0, HEADER as u8]);
            answer.extend(TYPE_A.to_be_bytes());
            answer.extend(CLASS_IN.to_be_bytes());
            answer.extend(TTL.to_be_bytes());
            answer.extend(4u16.to_be_bytes());
            answer.extend(address.octets());
        }
    }
    answer
}

/// The answer when no resolver gave one.
pub(super) fn failure(query: &[u8], question: &Question) -> Vec<u8> {
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

/// A query for the A records of `name`.
#[cfg(test)]
pub(super) fn query(id: u16, name: &str) -> Vec<u8> {
    let mut query = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_answered() {
        let query = query(7, "Web.Local");
        let asked = question(&query).expect("a question");
        assert_eq!((asked.name.as_str(), asked.kind, asked.end), ("web.local", TYPE_A, query.len()));
        let answer = local_answer(&query, &asked, &[Ipv4Addr::new(10, 88, 0, 9)]);
        assert!(answers(&answer, &query));
        assert_eq!(&answer[answer.len() - 4..], &[10, 88, 0, 9]);
        assert_eq!(failure(&query, &asked)[3] & 0x0f, SERVFAIL);
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
