//! The subnet that tasks get their addresses from.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

/// The region's default subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    network: u32,
    prefix: u8,
    gateway: Ipv4Addr,
}

/// Why a subnet cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// Not between 1 and 30 bits: no room for a gateway and a task, or no network.
    #[error("a subnet of /{0} cannot be used")]
    Prefix(u8),
    /// The gateway lies elsewhere, or is the first or the last address.
    #[error("the gateway {0} is not an address for a machine in its subnet")]
    Gateway(Ipv4Addr),
}

impl Subnet {
    /// The subnet of `prefix` bits around `network`, whose hosts leave it through `gateway`.
    pub fn new(network: Ipv4Addr, prefix: u8, gateway: Ipv4Addr) -> Result<Self, SubnetError> {
        if !(1..=30).contains(&prefix) {
            return Err(SubnetError::Prefix(prefix));
        }
        let network = network.to_bits() & (u32::MAX << (32 - prefix));
        let subnet = Self { network, prefix, gateway };
        if subnet.machines().contains(&gateway.to_bits()) {
            Ok(subnet)
        } else {
            Err(SubnetError::Gateway(gateway))
        }
    }

    /// Address of the way out.
    pub fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    /// Bits of its mask.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Everything between the network address and the broadcast address, the gateway included.
    pub(crate) fn machines(&self) -> RangeInclusive<u32> {
        let broadcast = self.network | (u32::MAX >> self.prefix);
        self.network + 1..=broadcast - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_with_room_are_taken() {
        let subnet =
            |network: [u8; 4], prefix, gateway: [u8; 4]| Subnet::new(network.into(), prefix, gateway.into());
        let small = subnet([10, 88, 0, 7], 29, [10, 88, 0, 1]).expect("is fine");
        let first = Ipv4Addr::new(10, 88, 0, 1).to_bits();
        assert_eq!(small.machines(), first..=first + 5);
        assert_eq!(subnet([10, 0, 0, 0], 31, [10, 0, 0, 1]), Err(SubnetError::Prefix(31)));
        assert_eq!(subnet([10, 0, 0, 0], 0, [10, 0, 0, 1]), Err(SubnetError::Prefix(0)));
        for gateway in [[10, 0, 0, 0], [10, 0, 0, 255], [10, 0, 1, 1]] {
            assert_eq!(subnet([10, 0, 0, 0], 24, gateway), Err(SubnetError::Gateway(gateway.into())));
        }
    }
}
