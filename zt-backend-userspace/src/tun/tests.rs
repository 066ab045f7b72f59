//! Devices that refuse packets.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::*;

/// A device that gives and takes as it is told, and then nothing.
#[derive(Default)]
struct Told {
    gives: Mutex<VecDeque<Result<Vec<u8>, PacketError>>>,
    /// What becomes of the packets that it is given, one after the other; then it takes them.
    refuses: Mutex<VecDeque<PacketError>>,
    taken: Mutex<Vec<Vec<u8>>>,
    /// Whether it gives only errors once it has given all else.
    is_broken: bool,
    asked: AtomicU32,
}

impl Device for Told {
    fn mtu(&self) -> u16 {
        1_420
    }

    async fn receive(&self) -> Result<Vec<u8>, PacketError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let given = self.gives.lock().unwrap().pop_front();
        match given {
            Some(given) => given,
            None if self.is_broken => Err(refused()),
            None => pending().await,
        }
    }

    async fn send(&self, packet: &[u8]) -> Result<(), PacketError> {
        if let Some(error) = self.refuses.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.taken.lock().unwrap().push(packet.to_vec());
        Ok(())
    }
}

fn refused() -> PacketError {
    PacketError::Refused(io::ErrorKind::OutOfMemory.into())
}

/// A port, and what a gateway has of it.
fn port() -> (PacketPort, mpsc::Receiver<Vec<u8>>, mpsc::Sender<Vec<u8>>) {
    let (sender, from_device) = mpsc::channel(8);
    let (to_device, receiver) = mpsc::channel(8);
    (PacketPort { sender, receiver }, from_device, to_device)
}

/// A packet for which the system had no memory ended the data plane of a gateway for good, in both directions.
#[tokio::test(start_paused = true)]
async fn a_packet_that_a_device_refuses_is_dropped_and_the_next_ones_pass() {
    let device = Told {
        gives: Mutex::new([Err(refused()), Ok(vec![1]), Err(refused()), Ok(vec![2])].into()),
        refuses: Mutex::new([refused(), refused()].into()),
        ..Told::default()
    };
    let (port, mut from_device, to_device) = port();
    let passing = async {
        assert_eq!(from_device.recv().await, Some(vec![1]));
        assert_eq!(from_device.recv().await, Some(vec![2]));
        for packet in [vec![3], vec![4], vec![5]] {
            to_device.send(packet).await.unwrap();
        }
        drop(to_device);
        pending::<()>().await;
    };
    let end = select! {
        end = carry_by(port, &device) => end,
        () = passing => panic!("it goes on"),
    };
    assert!(matches!(end, CarryEnd::Stopped), "{end:?}");
    assert_eq!(*device.taken.lock().unwrap(), [[5]]);
}

/// It is asked again for as long as it is there, but not without a pause.
#[tokio::test(start_paused = true)]
async fn inv_r3_a_device_that_gives_nothing_but_errors_keeps_nobody_from_work() {
    let device = Told { is_broken: true, ..Told::default() };
    let (port, mut from_device, to_device) = port();
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let carrying = timeout(second, carry_by(port, &device));
    let sending = async {
        while start.elapsed() < second / 2 {
            sleep(second / 10).await;
            to_device.send(vec![7]).await.unwrap();
        }
    };
    let (carried, ()) = tokio::join!(carrying, sending);
    assert!(carried.is_err(), "{carried:?}");
    assert!(device.taken.lock().unwrap().len() >= 5);
    let asked = device.asked.load(Ordering::Relaxed);
    assert!((100..=1_001).contains(&asked), "{asked}");
    assert!(from_device.try_recv().is_err());
}

#[tokio::test]
async fn carrying_ends_when_the_device_is_gone() {
    for gives in [vec![Err(PacketError::Gone)], vec![]] {
        let refuses = if gives.is_empty() { vec![PacketError::Gone] } else { vec![] };
        let device =
            Told { gives: Mutex::new(gives.into()), refuses: Mutex::new(refuses.into()), ..Told::default() };
        let (port, _from_device, to_device) = port();
        to_device.send(vec![1]).await.unwrap();
        let end = carry_by(port, &device).await;
        assert!(matches!(end, CarryEnd::Failed(PacketError::Gone)), "{end:?}");
    }
}
