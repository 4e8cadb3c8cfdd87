//! Opens every address, and knows what each of them speaks.

use std::net::SocketAddr;

use ancm_tower::client::Scheme;

use super::StartError;
use crate::{
    server::{Listeners, listen},
    tls::Certificates,
};

/// The sockets of an address, and the certificate that they show.
pub(super) type Served = (Listeners, Option<Certificates>);

/// Opens the sockets of all addresses.
pub(super) fn open(
    addresses: &[(Scheme, SocketAddr)],
    workers: usize,
    tls: Option<&Certificates>,
) -> Result<Vec<Served>, StartError> {
    if addresses.is_empty() {
        return Err(StartError::NoAddress);
    }
    let open = |&(scheme, address)| {
        let tls = match (scheme, tls) {
            (Scheme::Http, _) => None,
            (Scheme::Https, Some(tls)) => Some(tls.clone()),
            (Scheme::Https, None) => return Err(StartError::NoCertificate(address)),
        };
        Ok((listen(address, workers)?, tls))
    };
    addresses.iter().map(open).collect()
}

/// The port for redirections to https, if it is clear which one.
pub(super) fn https_port(served: &[Served]) -> Option<u16> {
    let with_tls = served.iter().filter(|(_, tls)| tls.is_some());
    only(with_tls.map(|(listeners, _)| listeners.address.port()))
}

/// What all of them are.
// ANCM: BindingInformation.h gives no port where two https bindings differ.
fn only(mut ports: impl Iterator<Item = u16>) -> Option<u16> {
    let first = ports.next()?;
    ports.all(|port| port == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Source, tests::Pair};

    fn any(scheme: Scheme) -> (Scheme, SocketAddr) {
        (scheme, "127.0.0.1:0".parse().unwrap())
    }

    #[test]
    fn the_port_for_redirections_is_the_only_one_with_tls() {
        let pair = Pair::new("localhost");
        let (_, tls) = Source::open(pair.settings()).unwrap();
        let served = open(&[any(Scheme::Http), any(Scheme::Https)], 1, Some(&tls)).unwrap();
        assert_eq!(https_port(&served), Some(served[1].0.address.port()));
        assert_eq!(https_port(&served[..1]), None);
    }

    #[test]
    fn several_addresses_may_share_a_port_but_two_ports_are_none() {
        assert_eq!(only([443, 443].into_iter()), Some(443));
        assert_eq!(only([443, 8443].into_iter()), None);
    }

    #[test]
    fn tls_needs_a_certificate() {
        let error = open(&[any(Scheme::Https)], 1, None).unwrap_err();
        assert!(matches!(error, StartError::NoCertificate(_)), "{error}");
    }
}
