//! The values of a reply, in strict notation.

use std::net::SocketAddr;
use std::str::FromStr;

use zt_core::net::Prefix;

/// A decimal number without a sign or leading zeros.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// A prefix with its length.
pub(super) fn prefix(text: &str) -> Option<Prefix> {
    text.parse().ok().filter(|_| text.contains('/'))
}

/// An address and a port. The zone of an IPv6 address may be a name, which is dropped.
pub(super) fn endpoint(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| {
        let (zoned, port) = text.strip_prefix('[')?.split_once("]:")?;
        let (address, zone) = zoned.split_once('%')?;
        let named = !zone.is_empty() && !zone.bytes().all(|byte| byte.is_ascii_digit());
        format!("[{address}]:{port}").parse().ok().filter(|_| named)
    })
}
