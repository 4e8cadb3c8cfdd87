//! Opens listening sockets.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

use super::ServeError;
use crate::settings::Address;

/// Opens what an address stands for: one socket, or one for each family.
pub(super) async fn open(address: Address, sockets: &mut Vec<TcpListener>) -> Result<(), ServeError> {
    match address {
        Address::At(at) => sockets.push(bind(at).await?),
        Address::Localhost(port) => {
            sockets.push(bind((Ipv4Addr::LOCALHOST, port).into()).await?);
            // Port 0 would give each family a port of its own.
            if port != 0 {
                sockets.extend(bind_if_present((Ipv6Addr::LOCALHOST, port).into()).await?);
            }
        }
        Address::Any(port) => open_any(port, sockets).await?,
    }
    Ok(())
}

/// IPv6 first: on most systems that socket takes IPv4 as well, and then the second one finds its port taken.
async fn open_any(port: u16, sockets: &mut Vec<TcpListener>) -> Result<(), ServeError> {
    let Some(v6) = bind_if_present((Ipv6Addr::UNSPECIFIED, port).into()).await? else {
        sockets.push(bind((Ipv4Addr::UNSPECIFIED, port).into()).await?);
        return Ok(());
    };
    let port = v6.local_addr().map_or(port, |address| address.port());
    sockets.push(v6);
    match bind((Ipv4Addr::UNSPECIFIED, port).into()).await {
        Ok(v4) => sockets.push(v4),
        Err(error) if error.is_taken() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Nothing if this machine has no IPv6.
async fn bind_if_present(address: SocketAddr) -> Result<Option<TcpListener>, ServeError> {
    match bind(address).await {
        Ok(socket) => Ok(Some(socket)),
        Err(error) if error.is_taken() => Err(error),
        Err(error) => {
            tracing::debug!(%error, "no IPv6");
            Ok(None)
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

impl ServeError {
    fn is_taken(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sockets(address: Address) -> Vec<SocketAddr> {
        let mut sockets = Vec::new();
        open(address, &mut sockets).await.unwrap();
        sockets.iter().map(|socket| socket.local_addr().unwrap()).collect()
    }

    #[tokio::test]
    async fn reaches_every_interface_from_both_families() {
        let mut sockets = Vec::new();
        open(Address::Any(0), &mut sockets).await.unwrap();
        let port = sockets[0].local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }

    #[tokio::test]
    async fn opens_both_loopback_addresses_at_one_port() {
        let free = sockets(Address::loopback(0)).await[0].port();
        let opened = sockets(Address::Localhost(free)).await;
        assert!(
            opened.iter().all(|address| address.ip().is_loopback() && address.port() == free),
            "{opened:?}"
        );
        assert!(opened[0].is_ipv4());
    }

    #[tokio::test]
    async fn names_the_address_that_is_taken() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = holder.local_addr().unwrap();
        for address in [Address::At(taken), Address::Localhost(taken.port())] {
            let error = open(address, &mut Vec::new()).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("cannot listen on {taken}: another process has that port already")
            );
        }
    }
}
