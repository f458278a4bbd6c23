//! Network namespaces, interfaces, addresses, NAT and name resolution of sandboxes
