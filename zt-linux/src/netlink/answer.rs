//! The messages that answer one request, and whether they can be believed.

use rtnetlink::packet_core::{NLM_F_DUMP_INTR, NLM_F_MULTIPART, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;

use super::NetlinkError;

/// What has come of an answer so far.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// What was kept of its messages.
    pub(super) kept: Vec<T>,
    /// Whether the kernel said that what it listed changed meanwhile, or that a message was lost.
    pub(super) interrupted: bool,
    complete: bool,
    bytes: usize,
}

/// The kernel makes at least this many bytes of a list in one go.
const ONE_GO: usize = 2_048;

impl<T> Answer<T> {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new(), interrupted: false, complete: false, bytes: 0 }
    }

    /// Takes in one message.
    pub(super) fn take(
        &mut self,
        message: NetlinkMessage<RouteNetlinkMessage>,
        keep: impl FnOnce(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<(), NetlinkError> {
        // any message of a list may say so, the last one included
        self.bytes = self.bytes.saturating_add(usize::try_from(message.header.length).unwrap_or(usize::MAX));
        self.interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(part) => {
                self.kept.extend(keep(part));
                self.complete |= message.header.flags & NLM_F_MULTIPART == 0;
            }
            NetlinkPayload::Done(done) if done.code < 0 => {
                return Err(refused(done.code));
            }
            NetlinkPayload::Error(error) if error.code.is_some() => {
                return Err(refused(error.raw_code()));
            }
            NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => self.complete = true,
            NetlinkPayload::Overrun(_) => self.interrupted = true,
            NetlinkPayload::Noop => {}
            _ => self.interrupted = true, // not understood, so not to be believed
        }
        Ok(())
    }

    /// Whether it is so long that the kernel may have made it in several goes.
    pub(super) const fn is_long(&self) -> bool {
        self.bytes > ONE_GO
    }

    /// Says that there are no more messages. An answer without its last message is cut short, however it looks.
    pub(super) fn end(self) -> Result<Self, NetlinkError> {
        if self.complete { Ok(self) } else { Err(NetlinkError::Closed) }
    }
}

fn refused(code: i32) -> NetlinkError {
    NetlinkError::Refused(std::io::Error::from_raw_os_error(code.saturating_abs()))
}
