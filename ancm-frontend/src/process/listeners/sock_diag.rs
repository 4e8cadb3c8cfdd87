//! Asks the kernel's `sock_diag` (netlink) for listening sockets, filtered by port in the kernel.
//!
//! Layouts are those of `linux/netlink.h`, `linux/sock_diag.h` and `linux/inet_diag.h`; numbers are in the machine's
//! own byte order except ports and addresses. An answer that is cut short or odd gives fewer listeners, or an error.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::{
    io::retry_on_intr,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with},
};

use super::Listener;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// A set of socket states that holds `TCP_LISTEN`.
const LISTENING: u32 = 1 << 10;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const FLAGS: u16 = 0x301;
/// Of `nlmsghdr`; and of the request, which is that and an `inet_diag_req_v2`.
const HEADER: usize = 16;
const REQUEST: usize = 72;
/// Of `inet_diag_msg`, after which the attributes follow.
const ANSWER: usize = 72;
const INET_DIAG_SKV6ONLY: u16 = 11;

/// What a piece of the answer says of the rest.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    ToCome,
    None,
}

/// All listening sockets at this port; 0 is all ports.
pub(super) fn listening(port: u16) -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    dump(AF_INET, port, &mut found)?;
    match dump(AF_INET6, port, &mut found) {
        // A kernel without IPv6.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => other?,
    }
    Ok(found)
}

fn dump(family: u8, port: u16, found: &mut Vec<Listener>) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG))?;
    retry_on_intr(|| send(&socket, &request(family, port), SendFlags::empty()))?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        // The kernel makes each piece before it is asked for; it never has to be waited for.
        let (_, length) = retry_on_intr(|| recv(&socket, &mut buffer[..], RecvFlags::DONTWAIT))?;
        if read(buffer.get(..length).unwrap_or_default(), found)? == Rest::None {
            return Ok(());
        }
    }
}

fn request(family: u8, port: u16) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        request[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(&72_u32.to_ne_bytes());
    put(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(&FLAGS.to_ne_bytes());
    put(&[0; 8]); // sequence number, sender
    put(&[family, IPPROTO_TCP, 0, 0]);
    put(&LISTENING.to_ne_bytes());
    put(&port.to_be_bytes()); // the local port; the rest of the filter stays "any"
    request
}

/// Reads one piece of the answer, which holds several messages.
fn read(mut piece: &[u8], found: &mut Vec<Listener>) -> io::Result<Rest> {
    while piece.len() >= HEADER {
        let length = number(piece, 0).map_or(0, u32::from_ne_bytes) as usize;
        let kind = number(piece, 4).map_or(0, u16::from_ne_bytes);
        let Some(body) = piece.get(HEADER..length) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "sock_diag gave a message that is cut short"));
        };
        match kind {
            NLMSG_DONE => return Ok(Rest::None),
            NLMSG_ERROR => {
                let errno = number(body, 0).map_or(0, i32::from_ne_bytes);
                return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
            }
            SOCK_DIAG_BY_FAMILY => found.extend(listener(body)),
            _ => {}
        }
        // Messages begin at multiples of four.
        piece = piece.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Rest::ToCome)
}

/// Reads an `inet_diag_msg`.
fn listener(body: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes(number(body, 4)?);
    let address: IpAddr = match body[0] {
        AF_INET => Ipv4Addr::from(number::<4>(body, 8)?).into(),
        AF_INET6 => Ipv6Addr::from(number::<16>(body, 8)?).into(),
        _ => return None,
    };
    Some(Listener {
        address: SocketAddr::new(address, port),
        uid: u32::from_ne_bytes(number(body, 64)?),
        inode: u32::from_ne_bytes(number(body, 68)?).into(),
        v6_only: attribute(body.get(ANSWER..)?, INET_DIAG_SKV6ONLY).map(|value| value.first() == Some(&1)),
    })
}

/// Finds an attribute: length (of its header too), kind, value.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(number(attributes, 0)?));
        let kind = u16::from_ne_bytes(number(attributes, 2)?);
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    /// A dual-stack listener at port 80.
    fn answer() -> Vec<u8> {
        let mut body = vec![0; ANSWER];
        body[0] = AF_INET6;
        body[4..6].copy_from_slice(&80_u16.to_be_bytes());
        body[68..72].copy_from_slice(&7_u32.to_ne_bytes());
        for (kind, value) in [(8_u16, 1_u8), (INET_DIAG_SKV6ONLY, 0)] {
            body.extend(5_u16.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend([value, 0, 0, 0]);
        }
        message(SOCK_DIAG_BY_FAMILY, &body)
    }

    #[test]
    fn reads_messages_to_the_last() {
        let mut found = Vec::new();
        let piece = [answer(), answer(), message(NLMSG_DONE, &[0; 4]), answer()].concat();
        assert_eq!(read(&piece, &mut found).unwrap(), Rest::None);
        let address = "[::]:80".parse().unwrap();
        assert_eq!(found, [Listener { address, v6_only: Some(false), inode: 7, uid: 0 }; 2]);
    }

    #[test]
    fn an_error_of_the_kernel_is_an_error_here() {
        let error = read(&message(NLMSG_ERROR, &(-2_i32).to_ne_bytes()), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_length_of_nothing_ends_in_an_error_and_not_in_a_circle() {
        assert!(read(&[0; 64], &mut Vec::new()).is_err());
        let mut zero_attribute = answer();
        let attributes = HEADER + ANSWER;
        zero_attribute[attributes..attributes + 2].fill(0);
        let mut found = Vec::new();
        read(&zero_attribute, &mut found).unwrap();
        assert_eq!(found[0].v6_only, None);
    }

    proptest! {
        #[test]
        fn survives_answers_that_are_cut_or_altered(
            cut in 0_usize..200, at in 0_usize..100, byte: u8, noise: Vec<u8>,
        ) {
            let mut piece = [answer(), answer()].concat();
            piece[at] = byte;
            piece.truncate(cut);
            let _ = read(&piece, &mut Vec::new());
            let _ = read(&noise, &mut Vec::new());
            let _ = read(&message(SOCK_DIAG_BY_FAMILY, &noise), &mut Vec::new());
        }
    }
}
