//! Both ends over a network that loses, doubles and reorders.

use super::*;
use environment::Environment;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn push(outgoing: &mut Outgoing, text: &str, now: i64) -> Option<Bytes> {
    let payload = Bytes::from(text.to_owned());
    outgoing.push(PayloadType::Output, payload, MessageId::default(), at(now))
}

/// A frame on its way: when it arrives, in which direction, and what it is.
type Flying = Vec<(i64, bool, Bytes)>;

struct Network {
    environment: Environment,
    flying: Flying,
    /// Of 100 frames, so many are lost.
    loss: u8,
}

impl Network {
    fn below(&self, bound: u8) -> bool {
        let mut byte = [0];
        self.environment.fill_random(&mut byte);
        byte[0] % 100 < bound
    }

    fn send(&mut self, now: i64, to_receiver: bool, frame: &Bytes) {
        for _ in 0..=u8::from(self.below(10)) {
            if !self.below(self.loss) {
                let mut late = [0];
                self.environment.fill_random(&mut late);
                self.flying.push((now + i64::from(late[0] % 90), to_receiver, frame.clone()));
            }
        }
    }

    fn arrived(&mut self, now: i64) -> Flying {
        let (arrived, flying) =
            std::mem::take(&mut self.flying).into_iter().partition(|(at, _, _)| *at <= now);
        self.flying = flying;
        arrived
    }
}

/// Sends so many messages through and returns what came out at the other end.
fn through(seed: u64, loss: u8, messages: usize) -> Vec<String> {
    let (environment, _simulation) = Environment::simulated(at(0), seed);
    let mut network = Network { environment, flying: vec![], loss };
    let mut outgoing = Outgoing::new(Kind::Output, false);
    let mut incoming = Incoming::default();
    let (mut sent, mut out, mut now) = (0, vec![], 0);
    while sent < messages || !outgoing.is_empty() {
        now += 5;
        assert!(now < 10_000_000, "seed {seed} gets nowhere");
        while sent < messages && !outgoing.is_full() {
            let frame = push(&mut outgoing, &sent.to_string(), now).expect("it is not paused");
            network.send(now, true, &frame);
            sent += 1;
        }
        for (_, to_receiver, frame) in network.arrived(now) {
            let message = Message::decode(&frame).expect("reads");
            if !to_receiver {
                outgoing.acknowledge(message.sequence, at(now));
                continue;
            }
            let back = Message { kind: Kind::Acknowledge, payload: Bytes::new(), ..message.clone() };
            let taken = incoming.take(message);
            if taken.acknowledge {
                network.send(now, false, &back.encode());
            }
            let texts =
                taken.ready.iter().map(|message| String::from_utf8_lossy(&message.payload).into_owned());
            out.extend(texts);
        }
        if let Some(frame) = outgoing.resend(at(now)) {
            network.send(now, true, &frame);
        }
    }
    out
}

#[test]
fn everything_arrives_once_and_in_order() {
    for seed in 0..60 {
        let loss = [0, 5, 30][seed as usize % 3];
        let expected: Vec<String> = (0..700).map(|number| number.to_string()).collect();
        assert_eq!(through(seed, loss, 700), expected, "seed {seed}");
    }
}

#[test]
fn a_lost_acknowledgement_is_given_again() {
    let mut outgoing = Outgoing::new(Kind::Input, false);
    let frame = push(&mut outgoing, "a", 0).expect("is sent");
    let message = Message::decode(&frame).expect("reads");
    let mut incoming = Incoming::default();
    assert_eq!(incoming.take(message.clone()).ready.len(), 1);
    assert_eq!(incoming.take(message), Taken { acknowledge: true, ready: vec![] });
}

#[test]
fn the_oldest_is_sent_again_when_it_is_due() {
    let mut outgoing = Outgoing::new(Kind::Output, false);
    push(&mut outgoing, "a", 0);
    push(&mut outgoing, "b", 1);
    assert_eq!(outgoing.due_at(), Some(at(200)));
    assert_eq!(outgoing.resend(at(199)), None);
    let again = outgoing.resend(at(200)).expect("is due");
    assert_eq!(Message::decode(&again).expect("reads").sequence, 0);
    outgoing.acknowledge(1, at(210));
    outgoing.acknowledge(0, at(220));
    outgoing.acknowledge(0, at(230));
    assert!(outgoing.is_empty() && outgoing.due_at().is_none());
}

#[test]
fn waits_follow_round_trips() {
    let mut outgoing = Outgoing::new(Kind::Output, false);
    for number in 0..200 {
        push(&mut outgoing, "x", number * 10);
        outgoing.acknowledge(number, at(number * 10 + 2));
    }
    push(&mut outgoing, "x", 5000);
    let due = outgoing.due_at().expect("something is under way");
    assert!(due < at(5030), "a fast peer is asked again soon: {due:?}");
    outgoing.acknowledge(200, at(60_000));
    push(&mut outgoing, "x", 70_000);
    assert_eq!(outgoing.due_at(), Some(at(71_000)), "but never later than after a second");
}

#[test]
fn a_paused_stream_keeps_everything_until_it_starts() {
    let mut outgoing = Outgoing::new(Kind::Output, true);
    assert_eq!(push(&mut outgoing, "a", 0), None);
    assert_eq!(push(&mut outgoing, "b", 0), None);
    assert_eq!((outgoing.due_at(), outgoing.resend(at(60_000))), (None, None));
    assert_eq!(outgoing.start(at(60_000)).len(), 2);
    outgoing.acknowledge(0, at(60_001));
    outgoing.pause();
    // A client that comes back gets what it did not acknowledge.
    assert_eq!(outgoing.start(at(90_000)).len(), 1);
}

#[test]
fn both_ends_are_bounded() {
    let mut outgoing = Outgoing::new(Kind::Output, false);
    let mut frames = Vec::new();
    while !outgoing.is_full() {
        frames.extend(push(&mut outgoing, "x", 0));
    }
    assert_eq!(frames.len(), WINDOW);
    for attempt in 0..=i64::from(MOST_ATTEMPTS) {
        assert!(!outgoing.gave_up(), "{attempt}");
        assert!(outgoing.resend(at(attempt * 1000 + 1000)).is_some());
    }
    assert!(outgoing.gave_up());

    let mut incoming = Incoming::default();
    let template = Message::decode(&frames[0]).expect("reads");
    for sequence in 1..30_000 {
        let taken = incoming.take(Message { sequence, ..template.clone() });
        assert_eq!(taken.acknowledge, sequence <= MOST_EARLY as i64);
    }
    assert_eq!(incoming.early.len(), MOST_EARLY);
    assert!(!incoming.take(Message { sequence: i64::MAX, ..template.clone() }).acknowledge);
    assert!(incoming.take(Message { sequence: i64::MIN, ..template }).acknowledge);
}
