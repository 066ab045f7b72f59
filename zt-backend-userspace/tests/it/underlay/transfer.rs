//! A megabyte over TCP, in either direction, of which each byte is looked at.

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) const MEGABYTE: usize = 1_000_000;
const DOWN: u8 = 1;
const UP: u8 = 2;
const SEGMENTS: u8 = 3;

/// Numbers that count up, so that whatever is lost, doubled or moved shows.
fn megabyte() -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(MEGABYTE).collect()
}

/// Serves whoever connects.
pub(super) fn serve(listener: TcpListener) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
}

async fn answer(mut stream: TcpStream) {
    match stream.read_u8().await.unwrap() {
        DOWN => stream.write_all(&megabyte()).await.unwrap(),
        SEGMENTS => stream.write_u32(getsockopt(&stream, TcpMaxSeg).unwrap()).await.unwrap(),
        _ => {
            let right = read(&mut stream).await == megabyte();
            stream.write_u8(right.into()).await.unwrap();
        }
    }
}

async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

pub(super) async fn download(stream: &mut TcpStream) {
    stream.write_u8(DOWN).await.unwrap();
    assert!(read(stream).await == megabyte(), "the bytes that were sent");
}

pub(super) async fn upload(stream: &mut TcpStream) {
    stream.write_u8(UP).await.unwrap();
    stream.write_all(&megabyte()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 1, "the server should have got the bytes that were sent");
}

/// How long the segments may be that the server sends.
pub(super) async fn segments(stream: &mut TcpStream) -> u32 {
    stream.write_u8(SEGMENTS).await.unwrap();
    stream.read_u32().await.unwrap()
}
