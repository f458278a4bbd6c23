//! Sockets that clients come to.

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Where a socket is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SocketPlace {
    /// The address that it is bound to.
    pub address: SocketAddr,
    /// For datagrams (UDP), not for connections (TCP).
    pub datagrams: bool,
}

impl SocketPlace {
    /// Makes the socket. The address need not be one of this machine yet.
    pub fn open(self) -> io::Result<OwnedFd> {
        let family = if self.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let kind = if self.datagrams { SocketType::DGRAM } else { SocketType::STREAM };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        if self.address.is_ipv4() {
            sockopt::set_ip_freebind(&socket, true)?;
        } else {
            sockopt::set_ipv6_freebind(&socket, true)?;
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        if !self.datagrams {
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        bind(&socket, &self.address)?;
        if !self.datagrams {
            listen(&socket, BACKLOG)?;
        }
        Ok(socket)
    }
}
