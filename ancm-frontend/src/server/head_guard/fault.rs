//! Why a request is refused before it is one.

use std::fmt;

/// What a client sent that one reader takes for one thing, and another for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// More than one empty line before a request.
    EmptyLines,
    /// LF without CR before it.
    BareLineFeed,
    /// CR without LF after it.
    BareCarriageReturn,
    /// The method is not a token.
    Method,
    /// The target is empty, or has a control character in it.
    Target,
    /// The target has a `#`, which would be lost on the way.
    Fragment,
    /// The version is neither `HTTP/1.0` nor `HTTP/1.1`, or something follows it.
    Version,
    /// A header line begins with a blank: it might continue the one before it (obs-fold).
    FoldedLine,
    /// A header line without a name before its colon.
    EmptyName,
    /// A blank in a header name or after it.
    BlankInName,
    /// A header line without a colon.
    NoColon,
    /// Another character that no name can have.
    Name,
    /// A control character in a header value.
    ControlCharacter,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// Host twice.
    HostRepeated,
    /// Host is no name or address with an optional port.
    Host,
    /// Content-Length is not one number, or a number that nobody can count to.
    Length,
    /// Content-Length twice, be it with the same number.
    LengthRepeated,
    /// Content-Length and Transfer-Encoding.
    LengthAndCoding,
    /// Transfer-Encoding is not exactly `chunked`.
    Coding,
    /// Transfer-Encoding twice.
    CodingRepeated,
    /// Transfer-Encoding in HTTP/1.0.
    CodingInOldVersion,
    /// The size of a chunk is not a hexadecimal number, or too large.
    ChunkSize,
    /// What follows the size of a chunk is no extension.
    ChunkExtension,
    /// The line with the size of a chunk is too long.
    ChunkLine,
    /// A chunk is longer than its size.
    ChunkEnd,
    /// A trailer tries to be what only a header may be: a length, a coding, a host.
    Trailer,
}

// === impl Fault ===

impl Fault {
    /// A sentence for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyLines => "several empty lines before the request",
            Self::BareLineFeed => "a line ends in LF without CR",
            Self::BareCarriageReturn => "CR without LF",
            Self::Method => "the method is not a token",
            Self::Target => "the target is empty or has a control character in it",
            Self::Fragment => "the target has a fragment",
            Self::Version => "the version is neither HTTP/1.0 nor HTTP/1.1",
            Self::FoldedLine => "a header line begins with a blank",
            Self::EmptyName => "a header name is empty",
            Self::BlankInName => "a blank in a header name",
            Self::NoColon => "a header line has no colon",
            Self::Name => "a header name is not a token",
            Self::ControlCharacter => "a control character in a header value",
            Self::HostMissing => "Host is missing",
            Self::HostRepeated => "Host is repeated",
            Self::Host => "Host is malformed",
            Self::Length => "Content-Length is not a number",
            Self::LengthRepeated => "Content-Length is repeated",
            Self::LengthAndCoding => "both Content-Length and Transfer-Encoding are there",
            Self::Coding => "Transfer-Encoding is not chunked",
            Self::CodingRepeated => "Transfer-Encoding is repeated",
            Self::CodingInOldVersion => "Transfer-Encoding in HTTP/1.0",
            Self::ChunkSize => "the size of a chunk is malformed",
            Self::ChunkExtension => "the extension of a chunk is malformed",
            Self::ChunkLine => "the line with the size of a chunk is too long",
            Self::ChunkEnd => "a chunk is not as long as it says",
            Self::Trailer => "a trailer that must be a header",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Fault {}
