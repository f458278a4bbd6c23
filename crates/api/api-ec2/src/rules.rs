//! Rules of security groups, between what is stored and what is asked for and answered.

use crate::errors::{missing, unsupported, value};
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use ipnet::{Ipv4Net, Ipv6Net};
use resources::ec2::{Peer, PortRange, Protocol, SecurityGroup, SecurityGroupRule};

/// Longest description of a rule.
const MOST_DESCRIPTION: usize = 255;

/// A rule as it is asked for. The peer that is a group is still named as the request names it.
pub(crate) struct Wanted {
    pub(crate) protocol: Protocol,
    pub(crate) peer: WantedPeer,
    pub(crate) description: Option<String>,
}

/// The other side of a rule as it is asked for.
pub(crate) enum WantedPeer {
    /// Known as it is.
    Known(Peer),
    /// A group by its id.
    GroupId(String),
    /// A group of the default VPC by its name.
    GroupName(String),
}

/// The rules of permissions: one for each protocol and peer.
pub(crate) fn wanted(permissions: Vec<wire::IpPermission>) -> Result<Vec<Wanted>, ServiceError> {
    let mut all = Vec::new();
    for permission in permissions {
        let protocol = protocol(&permission)?;
        let before = all.len();
        for range in permission.ip_ranges.unwrap_or_default() {
            let text = range.cidr_ip.unwrap_or_default();
            let net: Ipv4Net = text.parse().map_err(|_| value(format!("CIDR block {text} is malformed")))?;
            all.push(Wanted {
                protocol,
                peer: WantedPeer::Known(Peer::Range(net.trunc())),
                description: described(range.description)?,
            });
        }
        for range in permission.ipv6_ranges.unwrap_or_default() {
            let text = range.cidr_ipv6.unwrap_or_default();
            let net: Ipv6Net = text.parse().map_err(|_| value(format!("CIDR block {text} is malformed")))?;
            all.push(Wanted {
                protocol,
                peer: WantedPeer::Known(Peer::Range6(net.trunc())),
                description: described(range.description)?,
            });
        }
        for pair in permission.user_id_group_pairs.unwrap_or_default() {
            if pair.vpc_peering_connection_id.is_some() {
                return Err(unsupported("vpcPeeringConnectionId"));
            }
            let peer = match (pair.group_id, pair.group_name) {
                (Some(id), _) => WantedPeer::GroupId(id),
                (None, Some(name)) => WantedPeer::GroupName(name),
                (None, None) => return Err(missing("groupId")),
            };
            all.push(Wanted { protocol, peer, description: described(pair.description)? });
        }
        if permission.prefix_list_ids.is_some_and(|lists| !lists.is_empty()) {
            return Err(unsupported("prefixListIds"));
        }
        if all.len() == before {
            return Err(missing("ipRanges"));
        }
    }
    Ok(all)
}

fn described(text: Option<String>) -> Result<Option<String>, ServiceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    let Some(text) = text else { return Ok(None) };
    if text.len() > MOST_DESCRIPTION || !text.chars().all(allowed) {
        return Err(value(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following \
             set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        ));
    }
    Ok(Some(text))
}

fn protocol(permission: &wire::IpPermission) -> Result<Protocol, ServiceError> {
    let text = permission.ip_protocol.as_deref().ok_or_else(|| missing("ipProtocol"))?;
    let ports = || ports(permission.from_port, permission.to_port);
    let icmp = || Ok::<_, ServiceError>((icmp(permission.from_port)?, icmp(permission.to_port)?));
    Ok(match text.to_ascii_lowercase().as_str() {
        "-1" | "all" => Protocol::All,
        "tcp" | "6" => Protocol::Tcp(ports()?),
        "udp" | "17" => Protocol::Udp(ports()?),
        "icmp" | "1" => icmp().map(|(kind, code)| Protocol::Icmp(kind, code))?,
        "icmpv6" | "58" => icmp().map(|(kind, code)| Protocol::Icmp6(kind, code))?,
        other => match other.parse::<u8>() {
            Ok(number) => Protocol::Number(number),
            Err(_) => {
                return Err(value(format!("Invalid value '{text}' for IP protocol. Unknown protocol.")));
            }
        },
    })
}

fn ports(from: Option<i32>, to: Option<i32>) -> Result<PortRange, ServiceError> {
    let (Some(from), Some(to)) = (from, to) else {
        return Err(value(
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        ));
    };
    let port =
        |given: i32| u16::try_from(given).map_err(|_| value(format!("TCP/UDP port ({given}) out of range")));
    let range = PortRange { from: port(from)?, to: port(to)? };
    if range.from > range.to {
        return Err(value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    Ok(range)
}

fn icmp(given: Option<i32>) -> Result<Option<u8>, ServiceError> {
    match given {
        None | Some(-1) => Ok(None),
        Some(number) => match u8::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(value(format!("ICMP code or type ({number}) out of range"))),
        },
    }
}

/// The permission that the plain parameters of a request make.
pub(crate) fn plain(
    protocol: Option<String>,
    (from_port, to_port): (Option<i32>, Option<i32>),
    cidr: Option<String>,
    group_name: Option<String>,
) -> Option<wire::IpPermission> {
    if protocol.is_none() && cidr.is_none() && group_name.is_none() {
        return None;
    }
    let ranges = cidr.map(|cidr| wire::IpRange { cidr_ip: Some(cidr), ..wire::IpRange::default() });
    let pairs = group_name
        .map(|name| wire::UserIdGroupPair { group_name: Some(name), ..wire::UserIdGroupPair::default() });
    Some(wire::IpPermission {
        from_port,
        to_port,
        // A group alone lets everything of it in.
        ip_protocol: Some(protocol.unwrap_or_else(|| "-1".to_owned())),
        ip_ranges: ranges.map(|range| vec![range]),
        user_id_group_pairs: pairs.map(|pair| vec![pair]),
        ..wire::IpPermission::default()
    })
}

/// Protocol, first and last port as answers have them; ports are absent where all are meant.
pub(crate) fn numbers(protocol: Protocol) -> (String, Option<i32>, Option<i32>) {
    let icmp = |kind: Option<u8>, code: Option<u8>| {
        (Some(kind.map_or(-1, i32::from)), Some(code.map_or(-1, i32::from)))
    };
    let (name, (from, to)) = match protocol {
        Protocol::All => ("-1".to_owned(), (None, None)),
        Protocol::Tcp(ports) => ("tcp".to_owned(), (Some(ports.from.into()), Some(ports.to.into()))),
        Protocol::Udp(ports) => ("udp".to_owned(), (Some(ports.from.into()), Some(ports.to.into()))),
        Protocol::Icmp(kind, code) => ("icmp".to_owned(), icmp(kind, code)),
        Protocol::Icmp6(kind, code) => ("icmpv6".to_owned(), icmp(kind, code)),
        Protocol::Number(number) => (number.to_string(), (None, None)),
    };
    (name, from, to)
}

/// The range, the range of IPv6, or the group of a peer.
pub(crate) fn peer(peer: &Peer) -> (Option<String>, Option<String>, Option<String>) {
    match peer {
        Peer::Range(range) => (Some(range.to_string()), None, None),
        Peer::Range6(range) => (None, Some(range.to_string()), None),
        Peer::Group(id) => (None, None, Some(id.clone())),
    }
}

/// The rules of one direction as permissions: all peers of the same traffic in one.
pub(crate) fn permissions(
    context: &RequestContext,
    group: &SecurityGroup,
    egress: bool,
) -> Vec<wire::IpPermission> {
    let mut all: Vec<(Protocol, wire::IpPermission)> = Vec::new();
    for rule in group.rules.iter().filter(|rule| rule.egress == egress) {
        let place = all.iter().position(|(protocol, _)| *protocol == rule.protocol);
        let place = place.unwrap_or_else(|| {
            let (name, from_port, to_port) = numbers(rule.protocol);
            let permission = wire::IpPermission {
                from_port,
                to_port,
                ip_protocol: Some(name),
                ip_ranges: Some(vec![]),
                ipv6_ranges: Some(vec![]),
                prefix_list_ids: Some(vec![]),
                user_id_group_pairs: Some(vec![]),
            };
            all.push((rule.protocol, permission));
            all.len() - 1
        });
        add_peer(context, &mut all[place].1, rule);
    }
    all.into_iter().map(|(_, permission)| permission).collect()
}

fn add_peer(context: &RequestContext, permission: &mut wire::IpPermission, rule: &SecurityGroupRule) {
    let description = rule.description.clone();
    match &rule.peer {
        Peer::Range(range) => permission
            .ip_ranges
            .get_or_insert_default()
            .push(wire::IpRange { cidr_ip: Some(range.to_string()), description }),
        Peer::Range6(range) => permission
            .ipv6_ranges
            .get_or_insert_default()
            .push(wire::Ipv6Range { cidr_ipv6: Some(range.to_string()), description }),
        Peer::Group(id) => {
            permission.user_id_group_pairs.get_or_insert_default().push(wire::UserIdGroupPair {
                group_id: Some(id.clone()),
                user_id: Some(context.account.to_string()),
                description,
                ..wire::UserIdGroupPair::default()
            });
        }
    }
}

/// The values of permissions for the filters `ip-permission.NAME`.
pub(crate) fn values(permissions: &[wire::IpPermission], name: &str) -> Option<Vec<String>> {
    let ranges = || permissions.iter().flat_map(|own| own.ip_ranges.iter().flatten());
    let ranges6 = || permissions.iter().flat_map(|own| own.ipv6_ranges.iter().flatten());
    let pairs = || permissions.iter().flat_map(|own| own.user_id_group_pairs.iter().flatten());
    Some(match name {
        "cidr" => ranges().filter_map(|own| own.cidr_ip.clone()).collect(),
        "ipv6-cidr" => ranges6().filter_map(|own| own.cidr_ipv6.clone()).collect(),
        "from-port" => {
            permissions.iter().filter_map(|own| own.from_port).map(|port| port.to_string()).collect()
        }
        "to-port" => permissions.iter().filter_map(|own| own.to_port).map(|port| port.to_string()).collect(),
        "protocol" => permissions.iter().filter_map(|own| own.ip_protocol.clone()).collect(),
        "group-id" => pairs().filter_map(|own| own.group_id.clone()).collect(),
        "group-name" => pairs().filter_map(|own| own.group_name.clone()).collect(),
        "user-id" => pairs().filter_map(|own| own.user_id.clone()).collect(),
        "prefix-list-id" => vec![],
        _ => return None,
    })
}

/// A rule as the error about its double shows it.
pub(crate) fn shown(rule: &SecurityGroupRule) -> String {
    let (range, range6, group) = peer(&rule.peer);
    let peer = range.or(range6).or(group).unwrap_or_default();
    let traffic = match rule.protocol {
        Protocol::All => "ALL".to_owned(),
        Protocol::Tcp(ports) => format!("TCP, from port: {}, to port: {}", ports.from, ports.to),
        Protocol::Udp(ports) => format!("UDP, from port: {}, to port: {}", ports.from, ports.to),
        Protocol::Icmp(kind, code) | Protocol::Icmp6(kind, code) => format!(
            "ICMP, type: {}, code: {}",
            kind.map_or("ALL".to_owned(), |kind| kind.to_string()),
            code.map_or("ALL".to_owned(), |code| code.to_string())
        ),
        Protocol::Number(number) => format!("protocol: {number}"),
    };
    format!("peer: {peer}, {traffic}, ALLOW")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(protocol: &str, from_port: Option<i32>, to_port: Option<i32>) -> wire::IpPermission {
        let range = wire::IpRange { cidr_ip: Some("10.0.0.7/24".to_owned()), ..wire::IpRange::default() };
        wire::IpPermission {
            from_port,
            to_port,
            ip_protocol: Some(protocol.to_owned()),
            ip_ranges: Some(vec![range]),
            ..wire::IpPermission::default()
        }
    }

    fn read(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<Protocol, String> {
        let all = wanted(vec![permission(protocol, from, to)]).map_err(|error| error.message.into_owned())?;
        assert_eq!(all.len(), 1);
        Ok(all[0].protocol)
    }

    #[test]
    fn protocols_and_ports() {
        let ports = PortRange { from: 80, to: 443 };
        assert_eq!(read("tcp", Some(80), Some(443)), Ok(Protocol::Tcp(ports)));
        assert_eq!(read("17", Some(80), Some(443)), Ok(Protocol::Udp(ports)));
        assert_eq!(read("-1", Some(1), Some(2)), Ok(Protocol::All));
        assert_eq!(read("icmp", Some(-1), Some(-1)), Ok(Protocol::Icmp(None, None)));
        assert_eq!(read("icmp", Some(8), Some(0)), Ok(Protocol::Icmp(Some(8), Some(0))));
        assert_eq!(read("47", None, None), Ok(Protocol::Number(47)));
        for (protocol, from, to) in [
            ("tcp", None, Some(1)),
            ("tcp", Some(2), Some(1)),
            ("udp", Some(-1), Some(-1)),
            ("tcp", Some(1), Some(70_000)),
            ("icmp", Some(300), None),
            ("nonsense", None, None),
        ] {
            assert!(read(protocol, from, to).is_err(), "{protocol} {from:?} {to:?}");
        }
    }

    #[test]
    fn ranges_are_cut_to_their_network() {
        let all = wanted(vec![permission("-1", None, None)]).unwrap_or_default();
        let WantedPeer::Known(peer) = &all[0].peer else { panic!("a range") };
        assert_eq!(super::peer(peer).0.as_deref(), Some("10.0.0.0/24"));
        let mut bad = permission("-1", None, None);
        bad.ip_ranges = Some(vec![wire::IpRange { cidr_ip: Some("10.0.0.0".into()), ..Default::default() }]);
        assert!(wanted(vec![bad]).is_err());
        let nobody = wire::IpPermission { ip_protocol: Some("-1".into()), ..Default::default() };
        assert!(wanted(vec![nobody]).is_err());
    }
}
