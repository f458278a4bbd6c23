//! Answers to clients of several views.

use super::*;
use crate::told::{RecordSet, View, Zone};
use std::collections::BTreeSet;

const ASKER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 8);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn instance(id: &str, last: u8) -> Instance {
    let v4 = Some(Ipv4Addr::new(10, 0, 1, last));
    Instance { id: id.to_owned(), healthy: true, v4, v6: None, port: Some(80) }
}

fn service(name: &str, kind: RecordKind, instances: Vec<Instance>) -> Service {
    let records = vec![RecordSet { kind, ttl: 10 }];
    Service { name: name.to_owned(), routing: Routing::MultiValue, records, instances }
}

fn zone(name: &str, services: Vec<Service>) -> Zone {
    Zone { name: name.to_owned(), negative_ttl: 15, services }
}

/// Of these zones the client at [`ASKER`] sees the first ones, and the one at [`STRANGER`] none.
fn answers(zones: Vec<Zone>, seen: usize) -> Answers {
    let views = vec![
        View { zones: (0..seen).collect(), clients: vec![ASKER] },
        View { zones: vec![], clients: vec![STRANGER] },
    ];
    Answers::new(BTreeMap::from([("web.local".to_owned(), vec![HOST])]), Zones { zones, views })
}

fn address(last: u8, ttl: u32) -> Record {
    Record { ttl, data: RecordData::A(Ipv4Addr::new(10, 0, 1, last)) }
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers that may be none")]
fn no_name() -> Option<ZoneAnswer> {
    Some(ZoneAnswer::NoName(Authority { zone: "corp.local".to_owned(), ttl: 15 }))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers that may be none")]
fn nothing() -> Option<ZoneAnswer> {
    Some(ZoneAnswer::NoData(Some(Authority { zone: "corp.local".to_owned(), ttl: 15 })))
}

#[test]
fn names_are_there_with_their_types() {
    let worker = service("worker.corp.local", RecordKind::A, vec![instance("one", 1)]);
    let told = answers(vec![zone("corp.local", vec![worker])], 1);
    let answer = |name, kind| told.answer(ASKER, name, kind, 7);
    let found = Some(ZoneAnswer::Records(vec![address(1, 10)]));
    assert_eq!(answer("worker.corp.local", RecordType::A), found);
    assert_eq!(answer("worker.corp.local", RecordType::ANY), found);
    assert_eq!(answer("worker.corp.local", RecordType::SRV), nothing());
    assert_eq!(answer("corp.local", RecordType::A), nothing(), "the zone itself is there");
    assert_eq!(answer("other.corp.local", RecordType::A), no_name());
    assert_eq!(
        answer("one.worker.corp.local", RecordType::A),
        no_name(),
        "without SRV, instances have no names"
    );
    assert_eq!(answer("corp.local.example", RecordType::A), None);
    assert_eq!(answer("local", RecordType::A), None);
}

#[test]
fn names_for_everybody_come_first() {
    let told = answers(vec![zone("local", vec![])], 1);
    let found = Record { ttl: TTL, data: RecordData::A(HOST) };
    for asker in [ASKER, STRANGER, HOST] {
        let answer = told.answer(asker, "web.local", RecordType::A, 7);
        assert_eq!(answer, Some(ZoneAnswer::Records(vec![found.clone()])));
        assert_eq!(told.answer(asker, "web.local", RecordType::SRV, 7), Some(ZoneAnswer::NoData(None)));
    }
}

#[test]
fn srv_records_point_to_names_with_addresses() {
    let name = "_http._tcp.corp.local";
    let worker = service(name, RecordKind::Srv, vec![instance("One", 1)]);
    let told = answers(vec![zone("corp.local", vec![worker])], 1);
    let answer = |name, kind| told.answer(ASKER, name, kind, 7);
    let target = "One._http._tcp.corp.local".to_owned();
    let data = RecordData::Srv { priority: 1, weight: 1, port: 80, target };
    assert_eq!(answer(name, RecordType::SRV), Some(ZoneAnswer::Records(vec![Record { ttl: 10, data }])));
    assert_eq!(answer(name, RecordType::A), nothing());
    let below = Some(ZoneAnswer::Records(vec![address(1, 10)]));
    assert_eq!(answer("one._http._tcp.corp.local", RecordType::A), below);
    assert_eq!(answer("one._http._tcp.corp.local", RecordType::AAAA), nothing());
    assert_eq!(answer("two._http._tcp.corp.local", RecordType::A), no_name());
    assert_eq!(answer("_tcp.corp.local", RecordType::A), nothing(), "there is a name below it");
    assert_eq!(answer("tcp.corp.local", RecordType::A), no_name());
}

#[test]
fn an_answer_tells_of_eight_or_of_one_in_changing_order() {
    let many = (0..12).map(|at| instance(&format!("i{at}"), at)).collect();
    let healthy = |at| Instance { healthy: at == 1, ..instance(&format!("i{at}"), at) };
    let sick = |at| Instance { healthy: false, ..instance(&format!("i{at}"), at) };
    let weighted =
        |name, instances| Service { routing: Routing::Weighted, ..service(name, RecordKind::A, instances) };
    let services = vec![
        service("many.corp.local", RecordKind::A, many),
        service("none.corp.local", RecordKind::A, (0..3).map(sick).collect()),
        weighted("one.corp.local", (0..3).map(healthy).collect()),
        weighted("any.corp.local", (0..3).map(sick).collect()),
    ];
    let told = answers(vec![zone("corp.local", services)], 1);
    let texts = |name, random| match told.answer(ASKER, name, RecordType::A, random) {
        Some(ZoneAnswer::Records(records)) => records.iter().map(|one| format!("{one:?}")).collect(),
        other => panic!("{other:?}"),
    };
    let (mut orders, mut seen, mut any) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for turn in 0..100u64 {
        let random = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let found: Vec<String> = texts("many.corp.local", random);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 8, "{found:?}");
        seen.extend(found.clone());
        orders.insert(found);
        assert_eq!(texts("one.corp.local", random), [format!("{:?}", address(1, 10))], "the healthy one");
        any.insert(texts("any.corp.local", random));
    }
    assert!(orders.len() > 50 && seen.len() == 12 && any.len() == 3);
    assert_eq!(told.answer(ASKER, "none.corp.local", RecordType::A, 7), no_name());
}

#[test]
fn clients_see_their_zones_and_the_longest_name_wins() {
    let worker = |name, last| vec![service(name, RecordKind::A, vec![instance("one", last)])];
    let zones = vec![
        zone("corp.local", worker("worker.corp.local", 1)),
        zone("deep.corp.local", worker("worker.deep.corp.local", 2)),
        zone("corp.local", worker("worker.corp.local", 3)),
        zone("theirs.local", vec![]),
    ];
    let told = answers(zones, 2);
    let answer = |asker, name| told.answer(asker, name, RecordType::A, 7);
    let found = |last| Some(ZoneAnswer::Records(vec![address(last, 10)]));
    assert_eq!(answer(ASKER, "worker.deep.corp.local"), found(2));
    assert_eq!(answer(ASKER, "worker.corp.local"), found(1));
    assert_eq!(answer(ASKER, "x.theirs.local"), None);
    assert_eq!(answer(STRANGER, "worker.corp.local"), None);
    assert_eq!(answer(HOST, "worker.corp.local"), found(1));
    assert!(answer(HOST, "x.theirs.local").is_some(), "the host sees all");
    assert!(told.has_client(ASKER) && told.has_client(STRANGER) && !told.has_client(HOST));
}

#[test]
fn what_is_told_is_written_and_read() {
    let worker = service("worker.corp.local", RecordKind::Srv, vec![instance("one", 1)]);
    let told = crate::Configuration {
        listen: vec!["10.0.0.1:53".parse().expect("an address")],
        range: Some("10.0.0.0/16".parse().expect("a range")),
        resolvers: vec![],
        names: BTreeMap::from([("web.local".to_owned(), vec![HOST])]),
        zones: Zones {
            zones: vec![zone("corp.local", vec![worker])],
            views: vec![View { zones: vec![0, 9], clients: vec![ASKER] }],
        },
    };
    let text = serde_json::to_string(&told).expect("writes");
    assert_eq!(serde_json::from_str::<crate::Configuration>(&text).expect("reads"), told);
    let answers = Answers::new(told.names, told.zones);
    assert!(
        answers.answer(ASKER, "worker.corp.local", RecordType::SRV, 7).is_some(),
        "a zone that is not there is passed over"
    );
}
