//! Keys, prefixes, services, clock times and names: small texts that have one notation each.

use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::str::FromStr;

use serde_json::{from_value, json};
use zt_core::id::{MAX_NAME_BYTES, ResourceId};
use zt_core::key::PublicKey;
use zt_core::net::{Prefix, Protocol, Service};
use zt_core::site::{ClockTime, Weekday};

/// 2^255 - 19, the high byte first.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    [p[0], p[31]] = [0x7f, 0xed];
    p
};

/// The canonical points with which everybody shares the same secret (RFC 7748 section 6.1).
const LOW_ORDER: [&str; 5] = [
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA=",
    "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc=",
    "7P///////////////////////////////////////38=",
];

/// Takes each line of `bytes` for each of these.
///
/// Whatever parses is displayed as a text that parses to the same and is displayed the same. Of keys, services, days
/// and times that is the very text that was given, so that nothing has two names.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    text.split('\n').for_each(line);
}

fn line(text: &str) {
    if let Some(key) = round_trip::<PublicKey>(text, from_value(json!(text))) {
        assert_eq!(key.to_string(), text, "a key with two texts");
        assert_eq!(PublicKey::from_bytes(*key.as_bytes()), Ok(key));
        let mut number = *key.as_bytes();
        number.reverse();
        assert!(number < P, "{key} is another key by another name");
        assert!(!LOW_ORDER.contains(&text), "{key} is of low order");
    }
    if let Some(prefix) = round_trip::<Prefix>(text, from_value(json!(text))) {
        check_prefix(prefix);
    }
    if let Some(service) = round_trip::<Service>(text, from_value(json!(text))) {
        let (first, last) = (service.ports.first, service.ports.last);
        assert!(first <= last && (first == 0) == (service.protocol == Protocol::Echo), "{service}");
        assert!(service.to_string() == text || text.contains('-'), "{text} is {service}");
    }
    round_trip_of_text::<ClockTime>(text);
    round_trip_of_text::<Weekday>(text);
    if let Ok(name) = ResourceId::new(text) {
        assert_eq!(name.as_str(), text);
        assert!((1..=MAX_NAME_BYTES).contains(&text.len()) && !text.contains(char::is_control));
        assert_eq!(from_value(json!(text)).ok(), Some(name));
    } else {
        assert!(from_value::<ResourceId>(json!(text)).is_err(), "JSON lets a bad name in");
    }
}

fn check_prefix(prefix: Prefix) {
    let range = prefix.range();
    assert_eq!(range.first, prefix.address(), "{prefix} has host bits");
    assert!(range.first <= range.last && prefix.is_host() == (range.first == range.last), "{prefix}");
    assert!(prefix.contains(range.first) && prefix.contains(range.last) && prefix.overlaps(&prefix));
    if let IpAddr::V6(v6) = prefix.address() {
        assert!(v6.to_ipv4_mapped().is_none(), "{prefix} is an IPv4 address by another name");
    }
}

/// Parses, displays and parses; JSON accepts the same texts.
fn round_trip<T>(text: &str, from_json: serde_json::Result<T>) -> Option<T>
where
    T: FromStr + Display + Debug + PartialEq,
{
    let value: Option<T> = text.parse().ok();
    assert_eq!(from_json.ok(), value, "JSON and text differ about {text:?}");
    if let Some(value) = &value {
        let shown = value.to_string();
        assert_eq!(shown.parse().ok().as_ref(), Some(value), "{text:?} is displayed as {shown:?}");
        assert!(shown.is_ascii());
    }
    value
}

fn round_trip_of_text<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}
