//! What frontend and guard say to each other: one packet each, over a `SOCK_SEQPACKET` pair.
//!
//! The order to launch may hold megabytes of arguments and environment. It travels in a file in memory, whose
//! descriptor the packet carries beside those of the output pipes, so that no packet is ever large and nobody ever
//! waits to get rid of one.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Seek, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
};

use rustix::{
    cmsg_space,
    fs::{MemfdFlags, memfd_create},
    io::retry_on_intr,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
};

use crate::spawn::Launch;

/// Both ends must be of the same build, or at least mean the same.
const VERSION: u8 = 1;
/// More text or process numbers than this are left out of a report.
const PACKET: usize = 4096;
/// An order carries its file, and the two output pipes.
const DESCRIPTORS: usize = 3;

/// A packet as it comes.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// What the guard reports.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// It is a guard, and ready for the order.
    Ready,
    /// The process runs; comes with a descriptor of it, if the kernel has such.
    Started { pid: u32 },
    /// The process could not be started. `errno` is 0 if the reason is only in the text.
    Refused { errno: i32, text: String },
    /// The launched process has ended, with this status of `wait`.
    Exited { status: i32 },
    /// The guard leaves these alone, since it may not signal them.
    Left { pids: Vec<u32> },
}

/// Sends a packet without waiting; fails if the other end has not taken hundreds of them.
pub(super) fn send(to: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "too many descriptors for one packet"));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    retry_on_intr(|| sendmsg(&to, &[IoSlice::new(bytes)], &mut control, flags))?;
    Ok(())
}

/// Receives a packet; `None` when the other end is closed. Waits if the socket does.
pub(super) fn receive(from: impl AsFd) -> io::Result<Option<Packet>> {
    let mut buffer = [0; PACKET];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        recvmsg(&from, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut packet = Packet { bytes: buffer[..received.bytes.min(PACKET)].to_vec(), ..Packet::default() };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            packet.descriptors.extend(descriptors);
        }
    }
    Ok(if packet.bytes.is_empty() { None } else { Some(packet) })
}

/// Sends the order to launch.
pub(super) fn send_order(to: impl AsFd, launch: &Launch) -> io::Result<()> {
    let mut file = File::from(memfd_create("ancm-launch", MemfdFlags::CLOEXEC)?);
    file.write_all(&encode(launch)?)?;
    file.rewind()?;
    send(to, &[VERSION], &[file.as_fd(), launch.stdout.as_fd(), launch.stderr.as_fd()])
}

/// Reads the order to launch.
pub(super) fn order(packet: Packet) -> io::Result<Launch> {
    let odd = |what: &str| io::Error::new(ErrorKind::InvalidData, format!("odd order: {what}"));
    let descriptors: [OwnedFd; DESCRIPTORS] =
        packet.descriptors.try_into().map_err(|_| odd("not three descriptors"))?;
    let [file, stdout, stderr] = descriptors;
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes)?;
    decode(&bytes, stdout, stderr).ok_or_else(|| odd("cut short"))
}

/// Count of arguments, then every text: program, directory, arguments, and names and values in turn.
fn encode(launch: &Launch) -> io::Result<Vec<u8>> {
    let too_large = |_| io::Error::new(ErrorKind::InvalidInput, "arguments or environment are too large");
    let count = |number: usize| u32::try_from(number).map(u32::to_ne_bytes).map_err(too_large);
    let environment = launch.environment.iter().flat_map(|(name, value)| [name.as_os_str(), value]);
    let texts = [launch.program.as_os_str(), launch.directory.as_os_str()]
        .into_iter()
        .chain(launch.arguments.iter().map(OsString::as_os_str))
        .chain(environment);
    let mut bytes = count(launch.arguments.len())?.to_vec();
    for text in texts {
        bytes.extend(count(text.len())?);
        bytes.extend(text.as_bytes());
    }
    Ok(bytes)
}

fn decode(mut bytes: &[u8], stdout: OwnedFd, stderr: OwnedFd) -> Option<Launch> {
    let count = number(&mut bytes)?;
    let program = text(&mut bytes)?.into();
    let directory = text(&mut bytes)?.into();
    let arguments = (0..count).map(|_| text(&mut bytes)).collect::<Option<_>>()?;
    let mut environment = Vec::new();
    while !bytes.is_empty() {
        environment.push((text(&mut bytes)?, text(&mut bytes)?));
    }
    Some(Launch { program, arguments, environment, directory, stdout, stderr })
}

fn text(bytes: &mut &[u8]) -> Option<OsString> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(OsStr::from_bytes(text).to_owned())
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_ne_bytes(*number))
}

// === impl Report ===

impl Report {
    /// Packs it; what is too much for a packet is left out.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Ready => vec![1, VERSION],
            Self::Started { pid } => [&[2], &pid.to_ne_bytes()[..]].concat(),
            Self::Refused { errno, text } => [&[3], &errno.to_ne_bytes()[..], text.as_bytes()].concat(),
            Self::Exited { status } => [&[4], &status.to_ne_bytes()[..]].concat(),
            Self::Left { pids } => {
                std::iter::once(5).chain(pids.iter().flat_map(|pid| pid.to_ne_bytes())).collect()
            }
        };
        bytes.truncate(PACKET);
        bytes
    }

    /// `None` if it is not one of ours, or of another version.
    pub(super) fn decode(packet: &[u8]) -> Option<Self> {
        let (kind, mut rest) = packet.split_first()?;
        match kind {
            1 if rest == [VERSION] => Some(Self::Ready),
            2 => Some(Self::Started { pid: number(&mut rest)? }),
            3 => {
                let errno = number(&mut rest)?.cast_signed();
                Some(Self::Refused { errno, text: String::from_utf8_lossy(rest).into_owned() })
            }
            4 => Some(Self::Exited { status: number(&mut rest)?.cast_signed() }),
            5 => Some(Self::Left { pids: std::iter::from_fn(|| number(&mut rest)).collect() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn null() -> OwnedFd {
        File::options().write(true).open("/dev/null").unwrap().into()
    }

    fn launch() -> Launch {
        Launch {
            program: "/bin/program".into(),
            arguments: vec!["one".into(), "".into(), OsStr::from_bytes(&[0xff, 1]).to_owned()],
            environment: vec![("A".into(), "b=c".into()), ("LARGE".into(), "x".repeat(8 << 20).into())],
            directory: "/some/where".into(),
            stdout: null(),
            stderr: null(),
        }
    }

    #[test]
    fn carries_an_order_of_many_megabytes() {
        let (ours, theirs) = pair();
        let sent = launch();
        send_order(&ours, &sent).unwrap();
        let got = order(receive(&theirs).unwrap().unwrap()).unwrap();
        assert_eq!((&got.program, &got.directory), (&sent.program, &sent.directory));
        assert_eq!(got.arguments, sent.arguments);
        assert_eq!(got.environment, sent.environment);
    }

    #[test]
    fn an_order_without_its_descriptors_is_an_error() {
        let (ours, theirs) = pair();
        send(&ours, &[VERSION], &[ours.as_fd()]).unwrap();
        assert!(order(receive(&theirs).unwrap().unwrap()).is_err());
    }

    #[test]
    fn carries_every_report() {
        let reports = [
            Report::Ready,
            Report::Started { pid: 7 },
            Report::Refused { errno: 2, text: "é".into() },
            Report::Exited { status: -1 },
            Report::Left { pids: vec![1, 2] },
        ];
        for report in reports {
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
    }

    #[test]
    fn a_report_never_exceeds_a_packet() {
        let (ours, theirs) = pair();
        let report = Report::Refused { errno: 1, text: "x".repeat(100_000) };
        send(&ours, &report.encode(), &[]).unwrap();
        let got = Report::decode(&receive(&theirs).unwrap().unwrap().bytes);
        assert!(matches!(got, Some(Report::Refused { errno: 1, text }) if text.len() > 4000));
    }

    #[test]
    fn sending_fails_instead_of_waiting_for_a_reader_that_is_stuck() {
        let (ours, _theirs) = pair();
        let full = std::iter::repeat_with(|| send(&ours, &[0; 100], &[])).find_map(Result::err);
        assert_eq!(full.unwrap().kind(), ErrorKind::WouldBlock);
    }

    proptest! {
        #[test]
        fn survives_orders_and_reports_that_are_cut_or_altered(
            cut in 0_usize..80, at in 0_usize..60, byte: u8, noise: Vec<u8>,
        ) {
            let mut bytes = encode(&Launch { environment: vec![], ..launch() }).unwrap();
            if let Some(altered) = bytes.get_mut(at) {
                *altered = byte;
            }
            bytes.truncate(cut);
            let _ = decode(&bytes, null(), null());
            let _ = Report::decode(&noise);
        }
    }
}
