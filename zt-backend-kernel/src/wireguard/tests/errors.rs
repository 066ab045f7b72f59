//! Every error of every call: what is done about it, and what is left.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rustix::io::Errno;

use super::answers::Answer;
use super::kernel::Failure;
use super::*;
use crate::wireguard::error::{ReadError, WriteError};
use crate::wireguard::fault::{Fault, Recovery};

use Recovery::{Fatal, Resync, Retry};

/// What the documentation of [`Recovery`] says.
const TABLE: [(Errno, Recovery, Recovery); 16] = [
    (Errno::BUSY, Retry, Resync),
    (Errno::AGAIN, Retry, Resync),
    (Errno::INTR, Retry, Resync),
    (Errno::NOBUFS, Retry, Resync),
    (Errno::NOMEM, Retry, Resync),
    (Errno::NODEV, Fatal, Fatal),
    (Errno::PERM, Fatal, Fatal),
    (Errno::ACCESS, Fatal, Fatal),
    (Errno::OPNOTSUPP, Fatal, Fatal),
    (Errno::NOENT, Fatal, Fatal),
    (Errno::MSGSIZE, Fatal, Fatal),
    (Errno::ADDRINUSE, Fatal, Fatal),
    (Errno::INVAL, Fatal, Resync),
    (Errno::IO, Fatal, Resync),
    (Errno::PFNOSUPPORT, Fatal, Resync),
    (Errno::BADMSG, Fatal, Resync),
];

#[tokio::test]
async fn each_error_of_a_list_is_retried_or_not() {
    for (errno, reading, _) in TABLE {
        let received =
            if errno == Errno::AGAIN { Answer::Refused(errno) } else { Answer::NotReceived(errno) };
        for answer in [Answer::NotSent(errno), received, Answer::Refused(errno), Answer::EndsWith(errno)] {
            for (failures, works) in [(1, reading == Retry), (7, reading == Retry), (8, false)] {
                let kernel = Kernel::new();
                kernel.model().answers.extend(vec![answer; failures]);
                let outcome = device(&kernel).observe().await;
                assert_eq!(outcome.is_ok(), works, "{answer:?} {failures}: {outcome:?}");
                let tried = if reading == Retry { failures.min(8) } else { 1 };
                assert_eq!(kernel.model().answers.len(), failures - tried);
                match outcome {
                    Ok(_) => {}
                    Err(ReadError::Gone) => {
                        assert!(matches!(errno, Errno::NODEV | Errno::OPNOTSUPP | Errno::NOENT))
                    }
                    Err(ReadError::NoPermission) => assert!(matches!(errno, Errno::PERM | Errno::ACCESS)),
                    Err(error) => assert_eq!(error.recovery(), reading, "{error:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn bad_answers_are_retried_and_never_believed() {
    let bad = [
        Answer::Interrupted(0),
        Answer::Interrupted(1),
        Answer::Interrupted(2),
        Answer::Torn,
        Answer::OtherRequest,
    ];
    for answer in bad {
        let kernel = Kernel::new();
        kernel.model().peers = (0..6).map(|number| (key(number), hosts(number..number + 1))).collect();
        kernel.model().answers.extend([answer; 7]);
        let device = device(&kernel);
        assert_eq!(device.observe().await.unwrap().peers.len(), 6, "{answer:?}");
        kernel.model().answers.extend([answer; 8]);
        let error = device.observe().await.unwrap_err();
        assert_eq!(error.recovery(), Retry);
        let interrupted = matches!(error, ReadError::Device(Fault::Interrupted { attempts: 8 }));
        assert_eq!(interrupted, matches!(answer, Answer::Interrupted(_)), "{error:?}");
    }
    for late in [Answer::Silence, Answer::NoEnd] {
        let kernel = Kernel::new();
        kernel.model().answers.push_back(late);
        let error = device(&kernel).observe().await.unwrap_err();
        assert!(matches!(error, ReadError::Device(Fault::Deadline(_))), "{error:?}");
    }
}

#[tokio::test]
async fn each_error_of_a_change_is_told_and_what_is_unknown_is_read_again() {
    for (errno, _, writing) in TABLE {
        let kernel = Kernel::new();
        let device = device(&kernel);
        device.add(&[peer(1), peer(2)]).await.unwrap();
        let done = (writing == Resync).then_some((1, 0));
        kernel.model().failures.insert(1, Failure { errno, done });
        let error = device.add(&[peer(3), peer(4)]).await.unwrap_err();
        assert_eq!(error.recovery(), writing, "{error:?}");
        match errno {
            Errno::NODEV | Errno::OPNOTSUPP | Errno::NOENT => assert!(matches!(error, WriteError::Gone)),
            Errno::PERM | Errno::ACCESS => assert!(matches!(error, WriteError::NoPermission)),
            _ => assert!(matches!(error, WriteError::Unfinished(_))),
        }
        // a cut needs no list, whatever went wrong before
        let before = kernel.requests();
        device.set_allowed_ips(&[(key(1), BTreeSet::new())]).await.unwrap();
        assert_eq!((kernel.requests(), kernel.sent()), (before, 3));
        assert_eq!(kernel.peers()[&key(1)], BTreeSet::new());
        // one that keeps something does, after a change whose outcome is unknown
        let kept = [(key(2), hosts(2..3)), (key(1), hosts(1..2))];
        device.set_allowed_ips(&kept).await.unwrap();
        assert_eq!(kernel.requests() > before + 1, writing == Resync, "{errno:?}");
        assert_eq!(kernel.peers()[&key(1)], hosts(1..2));
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Add(Vec<(u16, BTreeSet<Prefix>)>),
    Set(Vec<(u16, BTreeSet<Prefix>)>),
    Remove(BTreeSet<u16>),
}

/// Few prefixes, which overlap, so that they change hands.
fn any_prefixes() -> impl Strategy<Value = BTreeSet<Prefix>> {
    let texts = ["10.99.0.0/24", "10.99.0.1/32", "10.99.0.2/32", "10.99.0.3/32", "fd99::1/128", "fd99::/64"];
    let prefix = prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().unwrap());
    prop::collection::btree_set(prefix, 0..3)
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let peers = || {
        prop::collection::btree_map(0..5_u16, any_prefixes(), 0..4).prop_map(|map| map.into_iter().collect())
    };
    prop_oneof![
        3 => peers().prop_map(Operation::Add),
        3 => peers().prop_map(Operation::Set),
        1 => prop::collection::btree_set(0..5_u16, 0..3).prop_map(Operation::Remove),
    ]
}

impl Operation {
    async fn run(&self, device: &Device) -> Result<(), WriteError> {
        match self {
            Self::Add(peers) => {
                let peers: Vec<_> =
                    peers.iter().map(|(seed, held)| (key(*seed), new_peer(held.clone()))).collect();
                device.add(&peers).await
            }
            Self::Set(peers) => {
                let peers: Vec<_> = peers.iter().map(|(seed, held)| (key(*seed), held.clone())).collect();
                device.set_allowed_ips(&peers).await
            }
            Self::Remove(seeds) => device.remove(&seeds.iter().map(|seed| key(*seed)).collect()).await,
        }
    }

    /// What is there afterwards if all of it is done.
    fn desired(
        &self,
        before: &BTreeMap<PublicKey, BTreeSet<Prefix>>,
    ) -> BTreeMap<PublicKey, BTreeSet<Prefix>> {
        let mut after = before.clone();
        match self {
            Self::Add(peers) => after.extend(peers.iter().map(|(seed, held)| (key(*seed), held.clone()))),
            Self::Set(peers) => {
                for (seed, held) in peers {
                    after.entry(key(*seed)).and_modify(|it| it.clone_from(held));
                }
            }
            Self::Remove(seeds) => after.retain(|peer, _| !seeds.iter().any(|seed| key(*seed) == *peer)),
        }
        after
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whichever change fails, with whatever error, and however much of it was done.
    #[test]
    fn inv_g1_a_failure_leaves_nothing_beyond_old_and_desired(
        operations in prop::collection::vec(any_operation(), 1..8),
        failing in prop::collection::btree_map(0..8_usize, (0..TABLE.len(), 0..3_usize, 0..2_usize), 0..4),
        knows in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let kernel = Kernel::new();
            let device = device(&kernel);
            if knows {
                device.observe().await.unwrap();
            }
            for (place, (errno, parts, allowed_ips)) in failing {
                let (errno, _, writing) = TABLE[errno];
                // the kernel gives the others before it does anything
                let done = (writing == Resync).then_some((parts, allowed_ips));
                kernel.model().failures.insert(place, Failure { errno, done });
            }
            for operation in operations {
                let old = kernel.peers();
                let outcome = operation.run(&device).await;
                let new = kernel.peers();
                let desired = operation.desired(&old);
                if outcome.is_ok() {
                    assert_eq!(new, desired, "{operation:?}");
                }
                let is_refusal = matches!(outcome, Err(WriteError::Refused(_) | WriteError::Unread(_)));
                let none = BTreeSet::new();
                for (peer, held) in &new {
                    assert!(old.contains_key(peer) || desired.contains_key(peer), "{peer} came to life");
                    let may = old.get(peer).unwrap_or(&none) | desired.get(peer).unwrap_or(&none);
                    assert!(held.is_subset(&may), "{operation:?}: {peer} has {held:?}");
                    assert!(!is_refusal || old.get(peer).is_some_and(|old| held.is_subset(old)));
                }
                let overlaps = |(one, held): (&PublicKey, &BTreeSet<Prefix>)| {
                    let others = new.iter().filter(|(other, _)| *other != one);
                    others.flat_map(|(_, held)| held).any(|other| held.iter().any(|prefix| prefix.overlaps(other)))
                };
                assert!(!new.iter().any(overlaps), "{new:?}");
            }
            let read = device.observe().await.unwrap().peers;
            let read: BTreeMap<_, _> = read.into_iter().map(|(key, peer)| (key, peer.allowed_ips)).collect();
            assert_eq!(&read, &kernel.peers());
        });
    }
}
