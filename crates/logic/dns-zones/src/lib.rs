//! Names of tasks: what the name server of a host is told ([`Configuration`]), and what it answers from that ([`Answers`]).
//!
//! What Cloud Map and Route 53 do of it: a name is there as long as its service has an instance with a record. With MULTIVALUE an
//! answer tells of up to eight healthy instances in changing order, with WEIGHTED of one at random, healthy if any is. An SRV
//! record points to the name of its instance below that of the service, which has its addresses. Clients see the zones of the VPC
//! that they are in; whoever is in none, as the host itself, sees all.
//!
//! Nothing here reads a clock, the network or chance: a random number comes with each question.

mod answers;
mod chance;
mod told;

pub use answers::{Answers, Authority, Record, RecordData, RecordType, ZoneAnswer};
pub use told::{Configuration, Instance, RecordKind, RecordSet, Report, Routing, Service, View, Zone, Zones};
