//! Every body on random bytes, and on inputs of the corpus that were damaged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says so by panicking")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use zt_fuzz::{Body, TARGETS};

/// Larger inputs take their time and are replayed by `corpus.rs`.
const DAMAGED_BYTES: usize = 4 * 1024;

static CORPUS: LazyLock<Vec<(Body, Vec<u8>)>> = LazyLock::new(|| {
    let mut corpus = Vec::new();
    for (name, body) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let inputs = files.into_iter().map(|path| fs::read(path).unwrap());
        corpus.extend(inputs.filter(|input| input.len() <= DAMAGED_BYTES).map(|input| (body, input)));
    }
    corpus
});

/// Bytes, and texts of those characters that the grammars use.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2_000),
        "[a-z0-9\\[\\]{}()\"'=.,:;/&|!<>\\\\ \n_@+-]{0,400}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inv_r1_bodies_take_anything(bytes in anything()) {
        for (_, body) in TARGETS {
            body(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn inv_r1_bodies_take_damaged_inputs(
        input in any::<Index>(),
        keep in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        tear in any::<bool>(),
    ) {
        let (body, bytes) = &CORPUS[input.index(CORPUS.len())];
        let mut bytes = bytes.clone();
        for (at, byte) in changes {
            bytes.extend(bytes.is_empty().then_some(0));
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if tear {
            bytes.truncate(keep.index(bytes.len().max(1)));
        }
        body(&bytes);
    }
}
