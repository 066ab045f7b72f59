//! Reading a device.

use std::num::NonZeroU16;
use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::{Device, State};
use crate::wireguard::error::ReadError;
use crate::wireguard::fault::{Fault, Recovery};
use crate::wireguard::peers::Peers;
use crate::wireguard::reader::{ATTEMPTS, Settings};
use crate::wireguard::status::InterfaceStatus;

impl Device {
    /// Whether it is still the same; and where it listens.
    pub(crate) async fn check(&self) -> Result<Option<NonZeroU16>, ReadError> {
        let index = self.known.index;
        let identity = self.reader.call(move |reader| reader.identify(index)).await.map_err(ReadError::of)?;
        let is_same = self.is_same(&identity.name, identity.public_key.as_ref());
        if is_same { Ok(identity.listen_port) } else { Err(ReadError::Gone) }
    }

    /// Gives it its key and settings.
    pub(crate) async fn set(&self, settings: Settings) -> Result<(), Fault> {
        let index = self.known.index;
        self.reader.call(move |reader| reader.set(index, &settings)).await
    }

    /// Reads the device as a whole, while nothing is added or removed.
    pub(crate) async fn observe(&self) -> Result<InterfaceStatus, ReadError> {
        let _lane = self.lane.lock().await;
        self.read().await
    }

    /// The state, once it is known what the device has; reads it only after a change that failed.
    pub(super) async fn know(&self) -> Result<MutexGuard<'_, State>, ReadError> {
        for _ in 0..ATTEMPTS {
            let state = self.state.lock().await;
            if state.peers.is_some() {
                return Ok(state);
            }
            drop(state);
            self.read().await?;
        }
        Err(interrupted())
    }

    /// Reads the device as a whole, and notes what it has. Cuts may be made meanwhile, and then it is read again.
    async fn read(&self) -> Result<InterfaceStatus, ReadError> {
        for _ in 0..ATTEMPTS {
            let state = self.state.lock().await;
            let (before, names, is_known) = (state.changes, Arc::clone(&state.names), state.peers.is_some());
            drop(state);
            if !is_known {
                // a change that was given up may still be made
                self.writer.settle().await.map_err(ReadError::Device)?;
            }
            let index = self.known.index;
            let status = self.reader.call(move |reader| reader.read(index, &names)).await;
            let mut state = self.state.lock().await;
            match status {
                Ok(status) if state.changes == before => {
                    self.accept(&mut state, &status)?;
                    return Ok(status);
                }
                Err(fault) if state.changes == before || fault.when_reading() != Recovery::Retry => {
                    return Err(ReadError::of(fault));
                }
                _ => {}
            }
        }
        Err(interrupted())
    }

    fn accept(&self, state: &mut State, status: &InterfaceStatus) -> Result<(), ReadError> {
        let public_key = status.public_key.as_ref().map(|key| key.as_bytes());
        if status.index != self.known.index || !self.is_same(&status.name, public_key) {
            return Err(ReadError::Gone);
        }
        let peers = status.peers.iter().map(|(key, peer)| (*key, peer.allowed_ips.clone()));
        state.install(self.known.public_key, peers.collect::<Peers>());
        Ok(())
    }

    fn is_same(&self, name: &str, public_key: Option<&[u8; 32]>) -> bool {
        name == self.known.name.as_str() && public_key == Some(self.known.public_key.as_bytes())
    }
}

const fn interrupted() -> ReadError {
    ReadError::Device(Fault::Interrupted { attempts: ATTEMPTS })
}
