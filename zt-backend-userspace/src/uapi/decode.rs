//! From a reply to what it says.

use std::collections::BTreeMap;

use zt_core::key::PublicKey;

use super::errno::Errno;
use super::interface::Interface;
use super::lines::Lines;
use super::reading::Reading;
use super::reply::ReplyError;

/// The keys of peers that were read before: to make one anew from its bytes costs a multiplication on the curve.
pub(super) type Names = BTreeMap<[u8; 32], PublicKey>;

/// Reads the reply to `get=1`, up to the empty line that ends it.
///
/// # Errors
/// If it is not whole and in order, is too long, or says that the question failed.
pub fn decode(reply: &[u8]) -> Result<Interface, ReplyError> {
    let names = Names::new();
    let mut decoder = Decoder::new(Question::Get, &names);
    decoder.push(reply)?;
    decoder.finish()
}

/// Reads the reply to `set=1`, up to the empty line that ends it.
///
/// # Errors
/// As for [`decode`]; also if it says anything else.
pub fn decode_acknowledgement(reply: &[u8]) -> Result<(), ReplyError> {
    let names = Names::new();
    let mut decoder = Decoder::new(Question::Set, &names);
    decoder.push(reply)?;
    decoder.finish().map(|_| ())
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Get,
    Set,
}

/// Takes a reply piece by piece.
pub(super) struct Decoder<'n> {
    lines: Lines,
    reading: Reading<'n>,
    is_whole: bool,
}

impl<'n> Decoder<'n> {
    pub(super) fn new(question: Question, names: &'n Names) -> Self {
        Self { lines: Lines::new(), reading: Reading::new(question, names), is_whole: false }
    }

    /// Takes the next piece; whether the reply is whole. What follows its end is not looked at.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<bool, ReplyError> {
        if !self.is_whole {
            self.is_whole = self.lines.push(bytes, |number, line| self.reading.line(number, line))?;
        }
        Ok(self.is_whole)
    }

    /// What the reply says. One that says that it failed is an error.
    pub(super) fn finish(self) -> Result<Interface, ReplyError> {
        match self.reading.finish() {
            Some((Errno(0), interface)) if self.is_whole => Ok(interface),
            Some((errno, _)) if self.is_whole => Err(ReplyError::Errno(errno)),
            _ => Err(ReplyError::Torn { line: self.lines.count() }),
        }
    }
}
