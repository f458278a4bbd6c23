//! The zones of Cloud Map for the name server of tasks.

use container_network::{Authority, Record, RecordData, RecordType, ZoneAnswer, ZoneSource};
use controllers::discovery::{Answer, Kind, Place, Zones};
use resources::discovery::RecordKind;
use std::net::Ipv4Addr;

/// Priority and weight of SRV records, as Cloud Map gives them.
const EVEN: u16 = 1;

/// Private namespaces as a source of zones.
pub(super) struct PrivateZones(pub(super) Zones);

impl ZoneSource for PrivateZones {
    fn answer(&self, asker: Ipv4Addr, name: &str, kind: RecordType) -> Option<ZoneAnswer> {
        let kind = match kind {
            RecordType::A => Kind::Of(RecordKind::A),
            RecordType::AAAA => Kind::Of(RecordKind::Aaaa),
            RecordType::SRV => Kind::Of(RecordKind::Srv),
            RecordType::ANY => Kind::Any,
            _ => Kind::Other,
        };
        Some(match self.0.answer(asker, name, kind)? {
            Answer::Places(places) => {
                ZoneAnswer::Records(places.into_iter().map(|(ttl, place)| record(ttl, place)).collect())
            }
            Answer::Nothing(zone, ttl) => ZoneAnswer::NoData(Some(Authority { zone, ttl })),
            Answer::NoName(zone, ttl) => ZoneAnswer::NoName(Authority { zone, ttl }),
        })
    }
}

fn record(ttl: u32, place: Place) -> Record {
    let data = match place {
        Place::V4(address) => RecordData::A(address),
        Place::V6(address) => RecordData::Aaaa(address),
        Place::Port(target, port) => RecordData::Srv { priority: EVEN, weight: EVEN, port, target },
    };
    Record { ttl, data }
}
