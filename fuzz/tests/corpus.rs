//! Replays the corpus: every file of every target.

#![allow(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use zt_fuzz::TARGETS;

/// What one file, and the whole corpus, may have at most.
const MAX_FILE_BYTES: u64 = 64 * 1024;
const MAX_CORPUS_BYTES: u64 = 1024 * 1024;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The names of the files in a folder, without their extensions.
fn names(folder: &Path) -> BTreeSet<OsString> {
    files(folder).iter().map(|path| path.file_stem().unwrap().to_owned()).collect()
}

#[test]
fn every_input_of_every_target_is_replayed() {
    let mut bytes = 0;
    for (name, body) in TARGETS {
        let inputs = files(&folder("corpus").join(name));
        assert!(!inputs.is_empty(), "no corpus for {name}");
        for input in &inputs {
            let size = fs::metadata(input).unwrap().len();
            assert!(size <= MAX_FILE_BYTES, "{} has {size} bytes", input.display());
            bytes += size;
            // Shown if this one fails.
            println!("{}", input.display());
            body(&fs::read(input).unwrap());
        }
        // Not by `println!`, which is shown of failures only.
        writeln!(io::stderr(), "corpus of {name}: {} inputs replayed", inputs.len()).unwrap();
    }
    assert!(bytes <= MAX_CORPUS_BYTES, "{bytes} bytes in all");
}

#[test]
fn bodies_programs_and_corpora_have_the_same_names() {
    let bodies: BTreeSet<OsString> = TARGETS.iter().map(|(name, _)| OsString::from(name)).collect();
    assert_eq!(names(&folder("fuzz_targets")), bodies);
    assert_eq!(names(&folder("corpus")), bodies);
}

/// The scripts do reach both verdicts, or the comparison would mean nothing.
#[test]
fn scripts_reach_both_verdicts() {
    let tallies: Vec<_> = files(&folder("corpus/script"))
        .iter()
        .map(|input| zt_fuzz::script::play(&fs::read(input).unwrap()))
        .collect();
    let accepted: usize = tallies.iter().map(|tally| tally.accepted).sum();
    let dropped: usize = tallies.iter().map(|tally| tally.dropped).sum();
    let steps: usize = tallies.iter().map(|tally| tally.steps).sum();
    println!("{accepted} packets accepted, {dropped} dropped, {steps} steps");
    assert!(
        accepted > 50 && dropped > 50 && steps > 500,
        "{accepted} accepted, {dropped} dropped, {steps} steps"
    );
}

/// What WireGuard implementations say is read, and nothing else.
#[test]
fn replies_of_wireguard_implementations_are_accepted() {
    let inputs = files(&folder("corpus/uapi"));
    let accepted = inputs.iter().filter(|input| {
        let reply = fs::read(input).unwrap();
        zt_backend_userspace::uapi::decode(&reply).is_ok()
    });
    let accepted: Vec<_> = accepted.map(|input| input.file_name().unwrap().to_str().unwrap()).collect();
    let good = [
        "acknowledgement",
        "acknowledgement-and-more",
        "acknowledgement-chatty",
        "amneziawg",
        "boringtun",
        "counters-largest",
        "gotatun",
        "gotatun-cover-traffic",
        "handshake-largest",
        "many-peers",
        "many-prefixes",
        "own-key-is-a-peer",
        "own-key-of-zeros",
        "prefix-of-two-peers",
        "wireguard-go",
        "wireguard-go-default-routes",
        "wireguard-go-fresh",
        "wireguard-go-no-key-and-no-port",
        "wireguard-go-zone-by-name",
    ];
    assert_eq!(accepted, good);
}

/// Lists that the kernel makes are read, and nothing else.
#[test]
fn lists_of_the_kernel_are_accepted() {
    let inputs = files(&folder("corpus/wireguard_dump"));
    let accepted = inputs.iter().filter(|input| zt_backend_kernel::decode(&fs::read(input).unwrap()).is_ok());
    let accepted: Vec<_> = accepted.map(|input| input.file_name().unwrap().to_str().unwrap()).collect();
    let good = [
        "default-routes",
        "endpoint-v6",
        "key-of-low-order",
        "many-allowed-ips",
        "no-key",
        "no-peers",
        "peer-over-three-messages",
        "prefix-mapped",
        "two-peers",
        "unknown-attributes",
    ];
    assert_eq!(accepted, good);
}
