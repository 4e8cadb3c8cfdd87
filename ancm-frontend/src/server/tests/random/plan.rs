//! What happens on a connection.

use proptest::{collection::vec, prelude::*};

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) exchanges: Vec<Exchange>,
    /// The last request asks for a switch of protocols and gets it; this is said through the tunnel.
    pub(super) tunnel: Option<Vec<u8>>,
    /// How much there is room for on the way between client and server.
    pub(super) room: usize,
    /// The lengths of the client's writes, over and over.
    pub(super) cuts: Vec<usize>,
    /// Milliseconds before each of the first writes.
    pub(super) pauses: Vec<u64>,
    /// Milliseconds before each of the first reads.
    pub(super) slow: Vec<u64>,
}

/// A request and its answer.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) is_head: bool,
    pub(super) is_old: bool,
    /// It asks for a switch of protocols.
    pub(super) upgrade: bool,
    pub(super) expects: Expects,
    pub(super) body: Body,
    pub(super) takes_trailers: bool,
    pub(super) reads: Reads,
    /// Milliseconds before the answer, and before each piece of it.
    pub(super) delay: u64,
    pub(super) status: u16,
    /// The lengths of the answer's pieces.
    pub(super) pieces: Vec<usize>,
    pub(super) is_length_known: bool,
    pub(super) trailers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expects {
    Nothing,
    /// To be asked for the body, but does not wait for it.
    Impatiently,
    Patiently,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Length(usize),
    Chunks { lengths: Vec<usize>, extensions: bool, trailers: bool },
}

/// What a service does with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Nothing,
    /// At most so many pieces of it.
    Part(usize),
    All,
    /// All, by another task, while it answers.
    Beside,
    /// Keeps it, and reads it when the connection has ended.
    Late,
}

// === impl Body ===

impl Body {
    pub(super) fn length(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Length(length) => *length,
            Self::Chunks { lengths, .. } => lengths.iter().sum(),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }
}

// === impl Exchange ===

impl Exchange {
    /// Whether the answer has a body.
    pub(super) fn has_answer_body(&self) -> bool {
        !self.is_head && !matches!(self.status, 204 | 304)
    }

    /// Whether nobody but the service knows when the body has been read.
    pub(super) fn is_read_elsewhere(&self) -> bool {
        self.body.is_there() && matches!(self.reads, Reads::Beside | Reads::Late)
    }

    /// Whether the connection may end behind it.
    pub(super) fn may_be_last(&self) -> bool {
        let to_the_end = self.is_old && !self.is_length_known && self.has_answer_body();
        to_the_end || self.body.is_there() && self.reads != Reads::All
    }
}

/// The bytes of a message's body: each has its own.
pub(super) fn content(number: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((number * 31 + at * 7) % 251).unwrap()).collect()
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let tunnel = proptest::option::weighted(0.2, vec(any::<u8>(), 1..5000));
    let room = prop_oneof![1..20_usize, 20..2000_usize, Just(100_000)];
    let cuts = vec(prop_oneof![1..30_usize, 1..5000_usize, Just(100_000)], 1..20);
    let pauses = || vec(prop_oneof![Just(0), 0..60_u64], 0..30);
    (vec(exchange(), 1..6), tunnel, room, cuts, pauses(), pauses()).prop_map(
        |(mut exchanges, tunnel, room, cuts, pauses, slow)| {
            if let (Some(_), Some(last)) = (&tunnel, exchanges.last_mut()) {
                (last.upgrade, last.is_old, last.is_head) = (true, false, false);
                (last.body, last.status, last.reads) = (Body::None, 101, Reads::Nothing);
            }
            Plan { exchanges, tunnel, room, cuts, pauses, slow }
        },
    )
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let request = (
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
        prop_oneof![3 => Just(Expects::Nothing), 1 => Just(Expects::Impatiently), 1 => Just(Expects::Patiently)],
        body(),
        any::<bool>(),
    );
    let reads = prop_oneof![
        Just(Reads::Nothing),
        (0..3_usize).prop_map(Reads::Part),
        Just(Reads::All),
        Just(Reads::All),
        Just(Reads::Beside),
        Just(Reads::Late),
    ];
    let delay = prop_oneof![Just(0), 0..100_u64];
    let status = prop_oneof![8 => Just(200), 1 => Just(204), 1 => Just(304), 1 => Just(404)];
    let pieces = vec(prop_oneof![0..100_usize, 0..20_000_usize], 0..5);
    (request, reads, delay, status, pieces, any::<bool>(), any::<bool>()).prop_map(
        |(request, reads, delay, status, pieces, is_length_known, trailers)| {
            let (is_head, is_old, upgrade, mut expects, mut body, takes_trailers) = request;
            if is_old {
                // It knows neither chunks nor interim answers.
                (body, expects) = (Body::Length(body.length()), Expects::Nothing);
            }
            let request = (is_head, is_old, upgrade, expects, body, takes_trailers);
            let answer = (reads, delay, status, pieces, is_length_known, trailers);
            joined(request, answer)
        },
    )
}

fn joined(
    request: (bool, bool, bool, Expects, Body, bool),
    answer: (Reads, u64, u16, Vec<usize>, bool, bool),
) -> Exchange {
    let (is_head, is_old, upgrade, expects, body, takes_trailers) = request;
    let (reads, delay, status, pieces, is_length_known, trailers) = answer;
    Exchange {
        is_head,
        is_old,
        upgrade,
        expects,
        body,
        takes_trailers,
        reads,
        delay,
        status,
        pieces,
        is_length_known,
        trailers,
    }
}

fn body() -> impl Strategy<Value = Body> {
    let chunks = (vec(1..3000_usize, 0..6), any::<bool>(), any::<bool>());
    let chunks =
        chunks.prop_map(|(lengths, extensions, trailers)| Body::Chunks { lengths, extensions, trailers });
    prop_oneof![3 => Just(Body::None), 2 => (0..30_000_usize).prop_map(Body::Length), 2 => chunks]
}
