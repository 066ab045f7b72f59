//! Reading a device.

use std::num::NonZeroU16;
use std::sync::Arc;

use super::{Device, State};
use crate::wireguard::error::ReadError;
use crate::wireguard::fault::Fault;
use crate::wireguard::peers::Peers;
use crate::wireguard::reader::{ATTEMPTS, Settings};
use crate::wireguard::status::InterfaceStatus;

impl Device {
    /// Whether it is still the same; and where it listens.
    pub(crate) async fn check(&self) -> Result<Option<NonZeroU16>, ReadError> {
        let index = self.known.index;
        let identity = self.reader.call(move |reader| reader.identify(index)).await.map_err(ReadError::of)?;
        self.is_same(&identity.name, identity.public_key.as_ref())
            .then_some(identity.listen_port)
            .ok_or(ReadError::Gone)
    }

    /// Gives it its key and settings.
    pub(crate) async fn set(&self, settings: Settings) -> Result<(), Fault> {
        let index = self.known.index;
        self.reader.call(move |reader| reader.set(index, &settings)).await
    }

    /// Reads the device as a whole. Cuts may be made meanwhile; then it is read again.
    pub(crate) async fn observe(&self) -> Result<InterfaceStatus, ReadError> {
        let _lane = self.lane.lock().await;
        for _ in 0..ATTEMPTS {
            let mut state = self.state.lock().await;
            if state.peers.is_none() {
                return self.read(&mut state).await;
            }
            let (before, names) = (state.changes, Arc::clone(&state.names));
            drop(state);
            let index = self.known.index;
            let status = self.reader.call(move |reader| reader.read(index, &names)).await;
            let mut state = self.state.lock().await;
            if state.changes == before {
                let status = status.map_err(ReadError::of)?;
                self.accept(&mut state, &status)?;
                return Ok(status);
            }
        }
        let mut state = self.state.lock().await;
        self.read(&mut state).await
    }

    /// Makes sure that it is known what the device has; reads it only after a change that failed.
    pub(super) async fn know(&self, state: &mut State) -> Result<(), ReadError> {
        if state.peers.is_none() {
            self.read(state).await?;
        }
        Ok(())
    }

    /// Reads the device while nobody else of this process can change it.
    async fn read(&self, state: &mut State) -> Result<InterfaceStatus, ReadError> {
        // a change that was given up may still be made
        self.writer.settle().await.map_err(ReadError::Device)?;
        let (index, names) = (self.known.index, Arc::clone(&state.names));
        let status =
            self.reader.call(move |reader| reader.read(index, &names)).await.map_err(ReadError::of)?;
        self.accept(state, &status)?;
        Ok(status)
    }

    fn accept(&self, state: &mut State, status: &InterfaceStatus) -> Result<(), ReadError> {
        let public_key = status.public_key.as_ref().map(|key| key.as_bytes());
        if status.index != self.known.index || !self.is_same(&status.name, public_key) {
            return Err(ReadError::Gone);
        }
        let peers = status.peers.iter().map(|(key, peer)| (*key, peer.allowed_ips.clone()));
        state.install(peers.collect::<Peers>());
        Ok(())
    }

    fn is_same(&self, name: &str, public_key: Option<&[u8; 32]>) -> bool {
        name == self.known.name.as_str() && public_key == Some(self.known.public_key.as_bytes())
    }
}
