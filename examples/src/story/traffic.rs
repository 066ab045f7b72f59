//! What goes through the tunnel: single probes, and streams of records in either direction.
//!
//! Everything starts with a header of 9 bytes: what it is, and the number of its meter.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use zt_backend_userspace::clock::AnchoredClock;
use zt_core::control::Clock as _;

use crate::netstack::{Stack, TcpStream};

use super::meter::{Meter, Meters, Record};

/// How often a stream sends a record.
const PACE: Duration = Duration::from_millis(2);
const HEADER: usize = 9;
const UPLOAD: u8 = b'u';
const DOWNLOAD: u8 = b'd';

/// Both ends of the traffic share the meters and the clock.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// The meters of the run.
    pub meters: Arc<Meters>,
    /// The clock that stamps records at both ends.
    pub clock: AnchoredClock,
}

/// A sender in the background; dropped, it stops.
#[derive(Debug)]
pub struct Sender {
    /// What it has sent, and what came of it.
    pub meter: Arc<Meter>,
    task: JoinHandle<io::Result<()>>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Traffic {
    /// A TCP connection on which the device sends records to `to`.
    #[must_use]
    pub fn upload(&self, stack: &Stack, to: SocketAddr) -> Sender {
        let (number, meter) = self.meters.open();
        let (this, stream, records) = (self.clone(), stack.connect(to), Arc::clone(&meter));
        let task = tokio::spawn(async move {
            let stream = stream?;
            stream.established().await?;
            stream.write_all(&header(UPLOAD, number)).await?;
            this.send_records(&stream, &records).await
        });
        Sender { meter, task }
    }

    /// A TCP connection on which, after the request, only the server at `to` sends.
    #[must_use]
    pub fn download(&self, stack: &Stack, to: SocketAddr) -> Sender {
        let (number, meter) = self.meters.open();
        let (this, stream, records) = (self.clone(), stack.connect(to), Arc::clone(&meter));
        let task = tokio::spawn(async move {
            let stream = stream?;
            stream.established().await?;
            stream.write_all(&header(DOWNLOAD, number)).await?;
            this.receive_records(&stream, &records).await
        });
        Sender { meter, task }
    }

    /// Datagrams, each with its own header, that the device sends to `to`.
    #[must_use]
    pub fn datagrams(&self, stack: &Stack, from: SocketAddr, to: SocketAddr) -> Sender {
        let (number, meter) = self.meters.open();
        let (this, stack, records) = (self.clone(), stack.clone(), Arc::clone(&meter));
        let task = tokio::spawn(async move {
            let socket = stack.bind(from)?;
            loop {
                socket.send_to(&datagram(number, records.send(this.clock.now())), to);
                tokio::time::sleep(PACE).await;
            }
        });
        Sender { meter, task }
    }

    /// Serves one TCP connection: takes records in, or sends them, as its header asks.
    ///
    /// # Errors
    /// If the connection breaks, or its header is not one of ours.
    pub async fn serve_stream(&self, stream: TcpStream) -> io::Result<()> {
        let mut header = [0; HEADER];
        read_exact(&stream, &mut header).await?;
        let [kind, number @ ..] = header;
        let meter = self.meters.find(u64::from_be_bytes(number)).ok_or(io::ErrorKind::InvalidData)?;
        match kind {
            UPLOAD => self.receive_records(&stream, &meter).await,
            DOWNLOAD => self.send_records(&stream, &meter).await,
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Takes one datagram in.
    pub fn serve_datagram(&self, bytes: &[u8]) {
        let Some((header, record)) = bytes.split_first_chunk::<HEADER>() else { return };
        let [_, number @ ..] = *header;
        let meter = self.meters.find(u64::from_be_bytes(number));
        if let (Some(meter), Ok(record)) = (meter, record.try_into()) {
            meter.deliver(Record::from_bytes(record), self.clock.now());
        }
    }

    async fn send_records(&self, stream: &TcpStream, meter: &Meter) -> io::Result<()> {
        loop {
            let record = meter.send(self.clock.now());
            stream.write_all(&record.to_bytes()).await?;
            tokio::time::sleep(PACE).await;
        }
    }

    async fn receive_records(&self, stream: &TcpStream, meter: &Meter) -> io::Result<()> {
        let mut record = [0; Record::BYTES];
        loop {
            read_exact(stream, &mut record).await?;
            meter.deliver(Record::from_bytes(record), self.clock.now());
        }
    }
}

/// The bytes of a datagram.
#[must_use]
pub fn datagram(number: u64, record: Record) -> Vec<u8> {
    [header(UPLOAD, number).as_slice(), &record.to_bytes()].concat()
}

fn header(kind: u8, number: u64) -> [u8; HEADER] {
    let mut header = [kind; HEADER];
    header.iter_mut().skip(1).zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    header
}

async fn read_exact(stream: &TcpStream, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        let count = stream.read(buffer).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = buffer.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}
