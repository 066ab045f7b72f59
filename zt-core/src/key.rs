//! WireGuard keys: only public keys that are safe to use exist here, and private keys stay hidden.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Why some bytes or a text are no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// The text is not the standard base64 of 32 bytes, with padding and nothing around it.
    #[error("`{0}` is not the base64 of 32 bytes")]
    Encoding(String),
    /// All bytes are zero.
    #[error("the all-zero key")]
    Zero,
    /// The value is 2^255 - 19 or more, or has the high bit set: another text of some other key.
    #[error("a key that is not in canonical form")]
    NonCanonical,
    /// A point of low order, with which everybody shares the same secret (RFC 7748 section 6.1).
    #[error("a key of low order")]
    LowOrder,
}

/// A device's or gateway's Curve25519 public key, canonical and of high order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes the 32 bytes of a key.
    ///
    /// # Errors
    /// If the bytes are all zero, not canonical, or a point of low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, PublicKeyError> {
        if bytes == [0; 32] {
            return Err(PublicKeyError::Zero);
        }
        if !is_canonical(&bytes) {
            return Err(PublicKeyError::NonCanonical);
        }
        let probe = x25519_dalek::StaticSecret::from([1; 32]);
        if !probe.diffie_hellman(&x25519_dalek::PublicKey::from(bytes)).was_contributory() {
            return Err(PublicKeyError::LowOrder);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Whether the little-endian value is below p = 2^255 - 19.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *high < 0x7f || (*high == 0x7f && (*low < 0xed || middle.iter().any(|byte| *byte != 0xff)))
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let encoding = || PublicKeyError::Encoding(text.chars().take(64).collect());
        let bytes = STANDARD.decode(text).map_err(|_| encoding())?;
        Self::from_bytes(bytes.try_into().map_err(|_| encoding())?)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(text: String) -> Result<Self, PublicKeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        STANDARD.encode(key.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A Curve25519 private key: neither printed nor serialised, and wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey([u8; 32]);

impl PrivateKey {
    /// Takes 32 random bytes for a private key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public key that belongs to this one.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let secret = x25519_dalek::StaticSecret::from(self.0);
        PublicKey(x25519_dalek::PublicKey::from(&secret).to_bytes())
    }

    /// The secret bytes, for the WireGuard implementation that is to use them.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}
