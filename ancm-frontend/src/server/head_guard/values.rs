//! Follows the values of the few headers that say how a message is framed and whom it is for.

use super::{Fault, Offence};

/// The value of a header that means something to the guard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Any other header: whatever is text will do.
    Text,
    /// `Host`.
    Host(Host),
    /// `Content-Length`: one number.
    Length { digits: Part, length: u64 },
    /// `Transfer-Encoding`: how many characters of `chunked` have come.
    Coding { part: Part, matched: usize },
}

/// Where in a value that has blanks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Before,
    Inside,
    After,
}

/// Where in the value of `Host`: `name:port` or `[address]:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Before,
    Name,
    AddressStart,
    Address,
    AddressEnd,
    Port,
    After,
}

const CHUNKED: &[u8] = b"chunked";

// === impl Value ===

impl Value {
    pub(super) const HOST: Self = Self::Host(Host::Before);
    pub(super) const LENGTH: Self = Self::Length { digits: Part::Before, length: 0 };
    pub(super) const CODING: Self = Self::Coding { part: Part::Before, matched: 0 };

    /// Takes the next bytes, which are text; which of them is wrong, and how.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<(), Offence> {
        for (at, &byte) in text.iter().enumerate() {
            let taken = match self {
                Self::Text => return Ok(()),
                Self::Host(host) => host.take(byte),
                Self::Length { digits, length } => take_digit(digits, length, byte),
                Self::Coding { part, matched } => take_coding(part, matched, byte),
            };
            taken.map_err(|fault| Offence { at, fault })?;
        }
        Ok(())
    }

    /// Whether the value may end here.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match self {
            Self::Length { digits: Part::Before, .. } => Err(Fault::Length),
            Self::Coding { matched, .. } if *matched < CHUNKED.len() => Err(Fault::Coding),
            Self::Host(Host::AddressStart | Host::Address) => Err(Fault::Host),
            _ => Ok(()),
        }
    }
}

fn take_digit(digits: &mut Part, length: &mut u64, byte: u8) -> Result<(), Fault> {
    *digits = digits.next(byte).ok_or(Fault::Length)?;
    if *digits != Part::Inside {
        return Ok(());
    }
    let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0')).ok_or(Fault::Length)?;
    let longer = length.checked_mul(10).and_then(|tens| tens.checked_add(digit));
    // Most readers count with a sign; what some of them cannot hold is for none of them.
    *length = longer.filter(|&length| i64::try_from(length).is_ok()).ok_or(Fault::Length)?;
    Ok(())
}

fn take_coding(part: &mut Part, matched: &mut usize, byte: u8) -> Result<(), Fault> {
    *part = part.next(byte).ok_or(Fault::Coding)?;
    if *part != Part::Inside {
        return Ok(());
    }
    let expected = CHUNKED.get(*matched).ok_or(Fault::Coding)?;
    *matched += 1;
    byte.eq_ignore_ascii_case(expected).then_some(()).ok_or(Fault::Coding)
}

// === impl Part ===

impl Part {
    /// Where the next byte stands; nowhere, if something follows the blanks at the end.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, is_blank(byte)) {
            (Self::Before, true) => Some(Self::Before),
            (Self::Before | Self::Inside, false) => Some(Self::Inside),
            (Self::Inside | Self::After, true) => Some(Self::After),
            (Self::After, false) => None,
        }
    }
}

// === impl Host ===

impl Host {
    fn take(&mut self, byte: u8) -> Result<(), Fault> {
        *self = match (*self, byte) {
            (Self::Before | Self::Name, byte) if is_name(byte) => Self::Name,
            (Self::Before, b' ' | b'\t') => Self::Before,
            (Self::Before, b'[') => Self::AddressStart,
            (Self::Address, b']') => Self::AddressEnd,
            (Self::AddressStart | Self::Address, byte) if is_address(byte) => Self::Address,
            (Self::Name | Self::AddressEnd, b':') => Self::Port,
            (Self::Port, byte) if byte.is_ascii_digit() => Self::Port,
            (Self::Name | Self::AddressEnd | Self::Port | Self::After, b' ' | b'\t') => Self::After,
            _ => return Err(Fault::Host),
        };
        Ok(())
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 3986 3.2.2, without the comma: a list of hosts is no host.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'=')
}

fn is_address(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}
