//! The conformance suite on gateways in this process.

use zt_backend_userspace::testing::{InProcess, PortNetwork};
use zt_core::testing::conformance::{CASES, Failure, Labs, revocations};

use crate::lab::PATIENCE;
use crate::lan::Lan;

const LOOPBACK: InProcess = InProcess::new(PATIENCE);

async fn failures(labs: &dyn Labs) -> Vec<(&'static str, Failure)> {
    let mut failures = Vec::new();
    for case in CASES {
        failures.extend(case.run(labs).await.err().map(|failure| (case.name, failure)));
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_over_loopback_conform() {
    let failures = failures(&LOOPBACK).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_in_memory_conform() {
    let failures = failures(&LOOPBACK.in_memory()).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The peers alone are enough for a few of the cases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_a_filter_does_not_conform() {
    let failures = failures(&InProcess::<PortNetwork>::new(PATIENCE / 4).without_filter()).await;
    let failed: Vec<_> = failures.iter().map(|(name, _)| *name).collect();
    let passed: Vec<_> = CASES.iter().map(|case| case.name).filter(|name| !failed.contains(name)).collect();
    let peers_suffice = [
        "a_device_has_its_own_addresses_only",
        "a_prefix_has_one_owner",
        "a_revoked_key_reaches_nothing",
        "another_generation_leaves_what_stays_alone",
        "a_failed_step_leaves_nothing_foreign",
        "nothing_passes_after_an_allowed_ip_is_cut",
    ];
    assert_eq!(passed, peers_suffice, "{failures:#?}");
}

#[test]
fn gateways_on_tun_devices_conform() {
    let test = || async {
        let failures = failures(&InProcess::<Lan>::new(PATIENCE)).await;
        assert!(failures.is_empty(), "{failures:#?}");
    };
    zt_linux::testing::alone(20 * PATIENCE, test).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_v4_nothing_is_delivered_after_a_revocation_of_one_peer() {
    nothing_is_delivered_after_revocations(0, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_v4_nothing_is_delivered_after_a_revocation_beside_10_000_peers() {
    nothing_is_delivered_after_revocations(10_000, 20).await;
}

async fn nothing_is_delivered_after_revocations(idle: u32, runs: u8) {
    let labs = InProcess::<PortNetwork>::new(6 * PATIENCE);
    let done = revocations(&labs, idle, runs).await.unwrap();
    assert_eq!((done.runs, done.delivered_after), (runs.into(), 0), "{done:?}");
    assert!(done.delivered_before.min(done.sent_after) >= 12 * 100 * done.runs, "{done:?}");
}
