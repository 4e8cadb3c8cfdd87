//! Whom the consuming end believes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of the forwarded headers is believed.
///
/// The defaults are ASP.NET Core's: one entry, from a peer on 127.0.0.0/8 or `::1`.
// ANCM: ForwardedHeadersOptions.cs; integration turns on For and Proto only, so there are no others here.
#[derive(Clone, Debug)]
pub struct ForwardedHeadersOptions {
    pub(super) limit: Option<usize>,
    pub(super) symmetry: bool,
    known: Vec<Network>,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

// === impl ForwardedHeadersOptions ===

impl ForwardedHeadersOptions {
    /// Believes at most that many entries; none means all of them.
    pub fn limit(mut self, entries: Option<usize>) -> Self {
        self.limit = entries;
        self
    }

    /// Believes nothing unless both headers have the same number of entries, all of them good.
    pub fn require_symmetry(mut self, required: bool) -> Self {
        self.symmetry = required;
        self
    }

    /// Believes this proxy too.
    pub fn known_proxy(self, address: IpAddr) -> Self {
        self.known_network(address, u8::MAX)
    }

    /// Believes the proxies of a network too: those that share the first `prefix` bits of the address.
    ///
    /// A prefix longer than the address stands for the address alone.
    pub fn known_network(mut self, address: IpAddr, prefix: u8) -> Self {
        self.known.push(Network::new(address, prefix));
        self
    }

    /// Forgets all known proxies and networks, those of the defaults too. As long as none is added, **every** peer is
    /// believed.
    pub fn clear_known(mut self) -> Self {
        self.known.clear();
        self
    }

    /// Whether the entry that this address wrote is believed.
    pub(super) fn believes(&self, address: IpAddr) -> bool {
        self.known.is_empty() || self.known.iter().any(|network| network.contains(address))
    }
}

impl Default for ForwardedHeadersOptions {
    fn default() -> Self {
        Self { limit: Some(1), symmetry: false, known: Vec::new() }
            .known_proxy(Ipv6Addr::LOCALHOST.into())
            .known_network(Ipv4Addr::new(127, 0, 0, 0).into(), 8)
    }
}

// === impl Network ===

impl Network {
    fn new(address: IpAddr, prefix: u8) -> Self {
        // IPv4 inside IPv6 is compared as IPv4; a prefix that reaches beyond the 96 bits of the mapping stays IPv6.
        match address.to_canonical() {
            IpAddr::V4(v4) if address.is_ipv4() => Self { address: v4.into(), prefix: prefix.min(32) },
            IpAddr::V4(v4) if prefix >= 96 => Self { address: v4.into(), prefix: prefix.min(128) - 96 },
            _ => Self { address, prefix: prefix.min(128) },
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let same_bits = |ours: u128, theirs: u128, width: u8| {
            // A shift by the whole width is no shift at all, hence the check.
            self.prefix == 0 || (ours ^ theirs) >> (width - self.prefix) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                same_bits(ours.to_bits().into(), theirs.to_bits().into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => same_bits(ours.to_bits(), theirs.to_bits(), 128),
            // Only a network that is wider than the mapping still holds mapped addresses.
            (IpAddr::V6(ours), IpAddr::V4(theirs)) => {
                same_bits(ours.to_bits(), theirs.to_ipv6_mapped().to_bits(), 128)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believes(options: &ForwardedHeadersOptions, address: &str) -> bool {
        options.believes(address.parse().unwrap())
    }

    #[test]
    fn believes_the_loopback_addresses_by_default() {
        let options = ForwardedHeadersOptions::default();
        for address in ["127.0.0.1", "127.255.3.4", "::1", "::ffff:127.0.0.1"] {
            assert!(believes(&options, address), "{address}");
        }
        for address in ["128.0.0.1", "126.255.255.255", "10.0.0.1", "::2", "::127.0.0.1", "::ffff:10.0.0.1"] {
            assert!(!believes(&options, address), "{address}");
        }
    }

    #[test]
    fn believes_everybody_if_nobody_is_known() {
        assert!(believes(&ForwardedHeadersOptions::default().clear_known(), "192.0.2.1"));
    }

    #[test]
    fn compares_the_bits_of_the_prefix_only() {
        for (network, prefix, inside, outside) in [
            ("10.1.2.3", 16, "10.1.255.0", "10.2.0.0"),
            ("10.1.2.3", 31, "10.1.2.2", "10.1.2.4"),
            ("10.1.2.3", 255, "10.1.2.3", "10.1.2.2"),
            ("10.1.2.3", 0, "203.0.113.9", "2001:db8::1"),
            ("2001:db8::", 32, "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::", 0, "::5", "never"),
            ("2001:db8::7", 200, "2001:db8::7", "2001:db8::6"),
            ("::ffff:10.0.0.0", 104, "10.9.9.9", "11.0.0.0"),
            ("::ffff:10.0.0.0", 104, "::ffff:10.9.9.9", "::10.9.9.9"),
            ("::ffff:0.0.0.0", 80, "192.0.2.1", "2001:db8::1"),
        ] {
            let network = network.parse().unwrap();
            let options = ForwardedHeadersOptions::default().clear_known().known_network(network, prefix);
            assert!(believes(&options, inside), "{network}/{prefix} {inside}");
            if let Ok(outside) = outside.parse() {
                assert!(!options.believes(outside), "{network}/{prefix} {outside}");
            }
        }
    }
}
