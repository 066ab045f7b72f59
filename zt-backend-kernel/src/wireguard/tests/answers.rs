//! What the made-up kernel answers, in bytes that other hands than ours have written.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{
    DoneMessage, ErrorMessage, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlMessage};
use netlink_packet_wireguard::{
    WireguardAddressFamily, WireguardAllowedIp, WireguardAllowedIpAttr, WireguardAttribute, WireguardCmd,
    WireguardMessage, WireguardPeer, WireguardPeerAttribute, WireguardTimeSpec,
};
use rustix::io::Errno;
use zt_core::net::Prefix;

use super::kernel::Model;

const FAMILY: u16 = 0x1c;

/// What happens to a request for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is answered.
    List,
    /// It is answered, with the flag of a list that changed on the message of this place from the end.
    Interrupted(usize),
    /// The end is missing.
    NoEnd,
    /// Nothing comes.
    Silence,
    /// The last datagram ends in the middle.
    Torn,
    /// The answers to another request come.
    OtherRequest,
    /// The socket does not take the request.
    NotSent(Errno),
    /// The socket gives no answer.
    NotReceived(Errno),
    /// The request is refused.
    Refused(Errno),
    /// The list ends with an error.
    EndsWith(Errno),
}

/// Answers a request.
pub(super) fn to(request: &[u8], model: &mut Model) -> io::Result<VecDeque<io::Result<Vec<u8>>>> {
    let header = NetlinkBuffer::new_checked(request).unwrap();
    assert_eq!(usize::try_from(header.length()).unwrap(), request.len());
    let sequence = header.sequence_number();
    let command = request[16];
    if header.message_type() != FAMILY {
        let nlas = vec![GenlCtrlAttrs::FamilyId(FAMILY), GenlCtrlAttrs::FamilyName("wireguard".into())];
        let family = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::NewFamily, nlas });
        return Ok([Ok(bytes(NetlinkPayload::InnerMessage(family), 0, sequence))].into());
    }
    if command == 1 {
        model.settings.push(request.to_vec());
        return Ok([Ok(error(None, sequence))].into());
    }
    let index = u32::from_ne_bytes(request[24..28].try_into().unwrap());
    let answer = model.answers.pop_front().unwrap_or(Answer::List);
    if index != model.index {
        return Ok([Ok(error(Some(Errno::NODEV), sequence))].into());
    }
    let sequence = if answer == Answer::OtherRequest { sequence.wrapping_sub(1) } else { sequence };
    let mut datagrams = list(model, sequence, answer);
    match answer {
        Answer::NotSent(errno) => return Err(errno.into()),
        Answer::Silence => datagrams.clear(),
        Answer::NotReceived(errno) => return Ok([Err(errno.into())].into()),
        Answer::Refused(errno) => datagrams = vec![error(Some(errno), sequence)],
        Answer::Torn => {
            let last = datagrams.last_mut().unwrap();
            last.truncate(last.len() - 2);
        }
        Answer::List
        | Answer::Interrupted(_)
        | Answer::NoEnd
        | Answer::OtherRequest
        | Answer::EndsWith(_) => {}
    }
    Ok(datagrams.into_iter().map(Ok).collect())
}

/// The datagrams of a list: three peers in each, or fewer if the allowed IPs of one go on in the next.
fn list(model: &Model, sequence: u32, answer: Answer) -> Vec<Vec<u8>> {
    let mut messages = vec![device(model)];
    let mut peers = Vec::new();
    for (key, allowed_ips) in &model.peers {
        let all: Vec<Prefix> = allowed_ips.iter().copied().collect();
        let mut parts = all.chunks(5);
        peers.push(peer(*key.as_bytes(), parts.next().unwrap_or_default(), true));
        for part in parts {
            messages.push(vec![WireguardAttribute::Peers(std::mem::take(&mut peers))]);
            peers.push(peer(*key.as_bytes(), part, false));
        }
        if peers.len() >= 3 {
            messages.push(vec![WireguardAttribute::Peers(std::mem::take(&mut peers))]);
        }
    }
    messages.push(vec![WireguardAttribute::Peers(peers)]);
    let place = messages.len();
    let flags = |place_from_end| {
        NLM_F_MULTIPART | if answer == Answer::Interrupted(place_from_end) { NLM_F_DUMP_INTR } else { 0 }
    };
    let mut datagrams: Vec<Vec<u8>> = messages
        .into_iter()
        .enumerate()
        .map(|(at, attributes)| message(attributes, flags(place - at), sequence))
        .collect();
    let mut done = DoneMessage::default();
    if let Answer::EndsWith(errno) = answer {
        done.code = -errno.raw_os_error();
    }
    if answer != Answer::NoEnd {
        let done = bytes(NetlinkPayload::<GenlMessage<WireguardMessage>>::Done(done), flags(0), sequence);
        datagrams.last_mut().unwrap().extend(done);
    }
    datagrams
}

fn device(model: &Model) -> Vec<WireguardAttribute> {
    let mut attributes = vec![
        WireguardAttribute::ListenPort(51_820),
        WireguardAttribute::Fwmark(9),
        WireguardAttribute::IfIndex(model.index),
        WireguardAttribute::IfName(model.name.clone()),
    ];
    if let Some(public_key) = model.public_key {
        attributes
            .extend([WireguardAttribute::PrivateKey([42; 32]), WireguardAttribute::PublicKey(public_key)]);
    }
    attributes
}

/// A peer as it is listed; only the first part of one says more than its key and allowed IPs.
pub(super) fn peer(key: [u8; 32], allowed_ips: &[Prefix], is_first: bool) -> WireguardPeer {
    let mut attributes = vec![WireguardPeerAttribute::PublicKey(key)];
    if is_first {
        let endpoint: SocketAddr = "[fe80::1%3]:4242".parse().unwrap();
        attributes.extend([
            WireguardPeerAttribute::PresharedKey([43; 32]),
            WireguardPeerAttribute::LastHandshake(WireguardTimeSpec {
                seconds: 1_700_000_000,
                nano_seconds: 5,
            }),
            WireguardPeerAttribute::PersistentKeepalive(25),
            WireguardPeerAttribute::TxBytes(1_000),
            WireguardPeerAttribute::RxBytes(2_000),
            WireguardPeerAttribute::ProtocolVersion(1),
            WireguardPeerAttribute::Endpoint(endpoint),
        ]);
    }
    let allowed_ip = |prefix: &Prefix| {
        let v4 = prefix.address().is_ipv4();
        WireguardAllowedIp(vec![
            WireguardAllowedIpAttr::Cidr(prefix.length()),
            WireguardAllowedIpAttr::Family(if v4 {
                WireguardAddressFamily::Ipv4
            } else {
                WireguardAddressFamily::Ipv6
            }),
            WireguardAllowedIpAttr::IpAddr(prefix.address()),
        ])
    };
    attributes.push(WireguardPeerAttribute::AllowedIps(allowed_ips.iter().map(allowed_ip).collect()));
    WireguardPeer(attributes)
}

/// A message of a list.
pub(super) fn message(attributes: Vec<WireguardAttribute>, flags: u16, sequence: u32) -> Vec<u8> {
    let message = WireguardMessage { cmd: WireguardCmd::GetDevice, attributes };
    let mut message = GenlMessage::from_payload(message);
    message.set_resolved_family_id(FAMILY);
    bytes(NetlinkPayload::InnerMessage(message), flags, sequence)
}

/// The last message of a list.
pub(super) fn done(flags: u16, sequence: u32) -> Vec<u8> {
    bytes(NetlinkPayload::<GenlMessage<WireguardMessage>>::Done(DoneMessage::default()), flags, sequence)
}

fn error(errno: Option<Errno>, sequence: u32) -> Vec<u8> {
    let mut message = ErrorMessage::default();
    message.code = errno.and_then(|errno| (-errno.raw_os_error()).try_into().ok());
    bytes(NetlinkPayload::<GenlMessage<WireguardMessage>>::Error(message), 0, sequence)
}

fn bytes<F>(payload: NetlinkPayload<GenlMessage<F>>, flags: u16, sequence: u32) -> Vec<u8>
where
    F: GenlFamily + std::fmt::Debug,
    GenlMessage<F>: NetlinkSerializable,
{
    let mut header = NetlinkHeader::default();
    (header.flags, header.sequence_number) = (flags, sequence);
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}
