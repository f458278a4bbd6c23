//! Further addresses of the host on the bridge: those of load balancers.
//!
//! Each is an address of the subnet by itself, with a mask of all bits, and by that it is known from the bridge's own. They
//! are kept when the server ends, as what listens on them goes on.

use super::{Network, blocking};
use crate::error::NetworkError;
use crate::namespace::netlink;
use crate::netlink::Netlink;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Bits of the masks of such addresses.
const ALONE: u8 = 32;

impl Network {
    /// Has the host own these addresses on the bridge, which are in the subnet, and no others beside the bridge's own.
    pub async fn set_host_addresses(&self, wanted: BTreeSet<Ipv4Addr>) -> Result<(), NetworkError> {
        let subnet = self.0.config.subnet;
        if let Some(stranger) = wanted.iter().find(|address| !subnet.is_host(**address)) {
            return Err(NetworkError::Address(*stranger, subnet.to_string()));
        }
        let bridge = self.0.config.bridge.clone();
        // Held, so that none of them comes or goes meanwhile.
        let gateways = self.0.gateways.lock().await;
        let known: BTreeSet<Ipv4Addr> = gateways.iter().map(|(_, gateway)| *gateway).collect();
        blocking(move || {
            let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
            let index = kernel.link(&bridge).map_err(netlink("looking for the bridge"))?;
            let index = index.ok_or_else(|| NetworkError::Config("the bridge is gone".to_owned()))?;
            let there = on(&mut kernel, index, &known)?;
            for address in wanted.difference(&there) {
                kernel
                    .add_address(index, *address, ALONE, None)
                    .map_err(netlink("giving the bridge the address of a load balancer"))?;
            }
            for address in there.difference(&wanted) {
                kernel
                    .remove_address(index, *address, ALONE)
                    .map_err(netlink("taking the address of a load balancer from the bridge"))?;
            }
            Ok(())
        })
        .await
    }

    /// The addresses that were set, also by an earlier process.
    pub async fn host_addresses(&self) -> Result<BTreeSet<Ipv4Addr>, NetworkError> {
        let bridge = self.0.config.bridge.clone();
        let gateways = self.0.gateways.lock().await;
        let known: BTreeSet<Ipv4Addr> = gateways.iter().map(|(_, gateway)| *gateway).collect();
        blocking(move || {
            let mut kernel = Netlink::open().map_err(netlink("connecting to the kernel"))?;
            match kernel.link(&bridge).map_err(netlink("looking for the bridge"))? {
                Some(index) => on(&mut kernel, index, &known),
                None => Ok(BTreeSet::new()),
            }
        })
        .await
    }
}

/// Such addresses on a bridge, without the gateways of subnets. Blocking.
pub(super) fn on(
    kernel: &mut Netlink,
    bridge: u32,
    gateways: &BTreeSet<Ipv4Addr>,
) -> Result<BTreeSet<Ipv4Addr>, NetworkError> {
    let all = kernel.addresses(bridge).map_err(netlink("listing the addresses of the bridge"))?;
    let alone = all.into_iter().filter(|(_, prefix)| *prefix == ALONE).map(|(address, _)| address);
    Ok(alone.filter(|address| !gateways.contains(address)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::tests::{config, inside, on_a_host, open, output, task};
    use std::net::TcpListener;

    #[test]
    fn load_balancers_have_addresses_that_tasks_reach_and_that_outlive_the_server() {
        on_a_host(async |directory| {
            let config = config("lsaddr", "10.90.0.0/24", &directory);
            let network = open(config.clone()).await;
            let own: Ipv4Addr = "10.90.0.77".parse().expect("an address");
            assert!(network.set_host_addresses(["10.91.0.1".parse().expect("one")].into()).await.is_err());
            network.set_host_addresses([own].into()).await.expect("sets");
            network.set_host_addresses([own].into()).await.expect("sets again");
            let listener = TcpListener::bind((own, 0)).expect("the address is there");
            let port = listener.local_addr().expect("bound").port();
            let namespace = network.attach(&task("t", "10.90.0.5")).await.expect("attaches");
            inside(&namespace.path, move || std::net::TcpStream::connect((own, port)).map(drop))
                .expect("connects");
            network.detach("t").await.expect("detaches");
            assert!(!network.stop().await.expect("stops"), "a load balancer needs the bridge");
            let network = Network::start(config).await.expect("starts again");
            assert_eq!(network.host_addresses().await.expect("lists"), [own].into());
            network.set_host_addresses(BTreeSet::new()).await.expect("clears");
            assert!(!output("ip", &["address", "show", "dev", "lsaddr"]).contains("10.90.0.77"));
            assert!(network.stop().await.expect("stops"));
        });
    }
}
