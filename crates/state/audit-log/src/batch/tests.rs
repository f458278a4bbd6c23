//! Batches give back what was put in, whatever it was.

use super::*;
use crate::event::{Resource, StoredEvent};
use crate::event_id::EventIds;
use proptest::prelude::*;

fn decoded(builder: &Builder) -> Batch {
    Batch::decode(builder.encode().into()).expect("a batch")
}

fn all(batch: &Batch) -> Vec<StoredEvent> {
    (0..batch.summary().count as usize).map(|index| batch.stored(index, EventIds::new(1))).collect()
}

#[test]
fn a_record_comes_back_whole() {
    let session = Session {
        issuer_kind: "Role",
        issuer_principal_id: "AROAX",
        issuer_arn: "arn:aws:iam::123456789012:role/r",
        issuer_account: "123456789012",
        issuer_name: "r",
        created_at: Timestamp::from_seconds(7),
        mfa: false,
    };
    let identity = Identity {
        kind: "AssumedRole",
        principal_id: "AROAX:session",
        arn: "arn:aws:sts::123456789012:assumed-role/r/session",
        account: "123456789012",
        access_key_id: "ASIAX",
        session: Some(session),
        ..Identity::default()
    };
    let resources = [Resource { kind: "AWS::ECS::Cluster", name: "c" }];
    let event = Event {
        time: Timestamp::from_millis(1_700_000_000_123),
        source: "ecs.amazonaws.com",
        name: "CreateCluster",
        region: "us-east-1",
        account: "123456789012",
        identity,
        source_address: "127.0.0.1",
        user_agent: "Boto3",
        error: Some(("AccessDenied", "no")),
        request_parameters: Some("{\"clusterName\":\"c\"}"),
        response_elements: None,
        request_id: "0a0b0c0d-0000-4000-8000-0123456789ab",
        read_only: false,
        data: false,
        event_type: EventType::ApiCall,
        resources: &resources,
    };
    let mut builder = Builder::new(40);
    builder.push(&event);
    builder.push(&Event { request_id: "odd", time: Timestamp::from_millis(5), ..event });
    let batch = decoded(&builder);
    let stored = all(&batch);
    assert_eq!((stored[0].sequence, stored[1].sequence), (40, 41));
    assert_eq!(stored[0].identity.get(), identity);
    assert_eq!(stored[0].identity.get().username(), "session");
    assert_eq!(stored[0].request_id, event.request_id);
    assert_eq!(stored[1].request_id, "odd");
    assert_eq!(stored[0].error, Some(("AccessDenied".to_owned(), "no".to_owned())));
    assert_eq!(stored[0].request_parameters.as_deref(), event.request_parameters);
    assert_eq!(stored[0].resources, [("AWS::ECS::Cluster".to_owned(), "c".to_owned())]);
    assert_eq!((stored[0].time, stored[1].time), (event.time, Timestamp::from_millis(5)));
    assert_eq!(batch.summary().earliest, Timestamp::from_millis(5));
    for (attribute, text) in [
        (Attribute::EventName, "CreateCluster"),
        (Attribute::EventSource, "ecs.amazonaws.com"),
        (Attribute::Username, "session"),
        (Attribute::AccessKeyId, "ASIAX"),
        (Attribute::ResourceType, "AWS::ECS::Cluster"),
        (Attribute::ResourceName, "c"),
        (Attribute::Account, "123456789012"),
    ] {
        let number = batch.find(attribute, text).unwrap_or_else(|| panic!("{attribute:?} {text}"));
        assert!(batch.has(1, attribute, number));
        assert!(batch.terms().contains(&attribute.term(text)));
        assert!(builder.terms().contains(&attribute.term(text)));
    }
    assert_eq!(batch.find(Attribute::EventName, "c"), None, "a text used as something else");
}

#[test]
fn callers_are_written_once() {
    let mut builder = Builder::new(0);
    let agents: Vec<String> = (0..7).map(|number| format!("agent-{number}")).collect();
    for round in 0..100 {
        for agent in &agents {
            builder.push(&Event { user_agent: agent, name: "ListClusters", ..Event::default() });
        }
        assert_eq!(builder.contexts.len(), 7, "round {round}");
    }
    assert!(builder.encode().len() < 700 * 12, "{}", builder.encode().len());
    let stored = all(&decoded(&builder));
    assert!(stored.iter().zip(agents.iter().cycle()).all(|(event, agent)| event.user_agent == *agent));
    builder.restart(5);
    builder.push(&Event { user_agent: "other", ..Event::default() });
    assert_eq!(all(&decoded(&builder))[0].user_agent, "other");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = FORMAT;
        }
        if let Some(batch) = Batch::decode(bytes.into()) {
            all(&batch);
            batch.terms();
        }
    }

    #[test]
    fn damage_does_not_make_it_panic(at in 0usize..200, byte: u8) {
        let mut builder = Builder::new(3);
        for name in ["A", "B", "C"] {
            builder.push(&Event { name, source: "s", request_id: "r", ..Event::default() });
        }
        let mut bytes = builder.encode();
        let length = bytes.len();
        bytes[at % length] = byte;
        if let Some(batch) = Batch::decode(bytes.into()) {
            all(&batch);
        }
    }
}
