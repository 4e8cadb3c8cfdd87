//! Reads listening sockets from `/proc/net/tcp` and `tcp6`, the tables of all connections.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::Listener;

const TCP_LISTEN: &str = "0A";

/// All listening sockets.
pub(super) fn listening() -> io::Result<Vec<Listener>> {
    let mut found = read("/proc/net/tcp")?;
    match read("/proc/net/tcp6") {
        // A kernel without IPv6.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => found.extend(other?),
    }
    Ok(found)
}

fn read(path: &str) -> io::Result<Vec<Listener>> {
    let table = std::fs::read(path)?;
    // The first line holds the titles; it is no listener either way.
    Ok(table.split(|&byte| byte == b'\n').filter_map(listener).collect())
}

/// Reads `slot local remote state queues timer retransmits uid timeout inode …`.
fn listener(line: &[u8]) -> Option<Listener> {
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let address = address(fields.nth(1)?)?;
    if fields.nth(1)? != TCP_LISTEN {
        return None;
    }
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Listener { address, v6_only: None, inode, uid })
}

/// Reads `ADDRESS:PORT`; the address is one or four words, each printed as a number of this machine.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn reads_addresses_as_the_kernel_prints_them() {
        assert_eq!(address("0100007F:1F90"), Some("127.0.0.1:8080".parse().unwrap()));
        let loopback = "00000000000000000000000001000000:0050";
        assert_eq!(address(loopback), Some("[::1]:80".parse().unwrap()));
    }

    #[test]
    fn reads_listeners_and_nothing_else() {
        let line = |state| {
            format!(
                "   1: 00000000:0050 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0"
            )
        };
        let expected =
            Listener { address: "0.0.0.0:80".parse().unwrap(), v6_only: None, inode: 4711, uid: 1000 };
        assert_eq!(listener(line("0A").as_bytes()), Some(expected));
        assert_eq!(listener(line("01").as_bytes()), None);
        assert_eq!(listener(b"  sl  local_address rem_address   st tx_queue rx_queue"), None);
    }

    proptest! {
        #[test]
        fn survives_every_line(line: Vec<u8>, text in "[0-9A-Fé: ]{0,80}") {
            let _ = listener(&line);
            let _ = listener(text.as_bytes());
            let _ = address(&text);
        }
    }
}
