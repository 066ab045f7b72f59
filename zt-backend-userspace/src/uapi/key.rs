//! The keys of a reply that are understood. Others are passed over: newer implementations have more.

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Private,
    /// What boringtun gives for the private key.
    OwnPublic,
    ListenPort,
    Fwmark,
    Public,
    Preshared,
    Endpoint,
    Keepalive,
    AllowedIp,
    ReceivedBytes,
    SentBytes,
    HandshakeSeconds,
    HandshakeNanoseconds,
    ProtocolVersion,
    Errno,
}

/// Which part of a reply a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Before the first peer.
    Interface,
    /// Within a peer.
    Peer,
    /// Either.
    Both,
}

impl Key {
    const ALL: [Self; 15] = [
        Self::Private,
        Self::OwnPublic,
        Self::ListenPort,
        Self::Fwmark,
        Self::Public,
        Self::Preshared,
        Self::Endpoint,
        Self::Keepalive,
        Self::AllowedIp,
        Self::ReceivedBytes,
        Self::SentBytes,
        Self::HandshakeSeconds,
        Self::HandshakeNanoseconds,
        Self::ProtocolVersion,
        Self::Errno,
    ];

    /// The key of this name, if it is one that is understood.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Its name in the protocol.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Private => "private_key",
            Self::OwnPublic => "own_public_key",
            Self::ListenPort => "listen_port",
            Self::Fwmark => "fwmark",
            Self::Public => "public_key",
            Self::Preshared => "preshared_key",
            Self::Endpoint => "endpoint",
            Self::Keepalive => "persistent_keepalive_interval",
            Self::AllowedIp => "allowed_ip",
            Self::ReceivedBytes => "rx_bytes",
            Self::SentBytes => "tx_bytes",
            Self::HandshakeSeconds => "last_handshake_time_sec",
            Self::HandshakeNanoseconds => "last_handshake_time_nsec",
            Self::ProtocolVersion => "protocol_version",
            Self::Errno => "errno",
        }
    }

    /// Where it may stand. [`Key::Public`] begins a peer.
    pub(super) const fn part(self) -> Part {
        match self {
            Self::Private | Self::OwnPublic | Self::ListenPort | Self::Fwmark => Part::Interface,
            Self::Preshared
            | Self::Endpoint
            | Self::Keepalive
            | Self::AllowedIp
            | Self::ReceivedBytes
            | Self::SentBytes
            | Self::HandshakeSeconds
            | Self::HandshakeNanoseconds => Part::Peer,
            Self::Public | Self::ProtocolVersion | Self::Errno => Part::Both,
        }
    }

    /// Whether its value must not be shown.
    pub(super) const fn is_secret(self) -> bool {
        matches!(self, Self::Private | Self::Preshared)
    }

    /// A set with just this key.
    pub(super) const fn bit(self) -> u16 {
        1 << self as u16
    }
}
