//! The conformance suite on the fake backend, and on backends that must fail it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use zt_core::testing::Fault;
use zt_core::testing::conformance::{CASES, Case, FakeLabs, Labs, revocations};

/// Polls until it is done: the fake lab is never waiting for anybody else.
fn block_on<T>(running: impl Future<Output = T>) -> T {
    let mut running = pin!(running);
    loop {
        if let Poll::Ready(done) = running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}

fn run(case: &Case, labs: &dyn Labs) -> Result<(), String> {
    block_on(case.run(labs)).map_err(|failure| format!("{}: {failure}", case.name))
}

#[test]
fn the_fake_backend_conforms() {
    let failures: Vec<_> = CASES.iter().filter_map(|case| run(case, &FakeLabs::default()).err()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_fault_is_noticed_and_every_case_notices_one() {
    use Fault::*;
    let faults = [
        Inert,
        FilterOff,
        AnySource,
        TrustsFlows,
        OneWay,
        KeepsPairs,
        KeepsSources,
        KeepsCells,
        KeepsAllowedIps,
        KeepsPeers,
        KeepsGate,
        Endless,
        AnyError,
        MovesPrefixes,
    ];
    let mut noticed: Vec<(&str, Vec<Fault>)> = CASES.iter().map(|case| (case.name, Vec::new())).collect();
    for fault in faults {
        let labs = FakeLabs { fault: Some(fault) };
        for (case, (_, of_case)) in CASES.iter().zip(&mut noticed) {
            if run(case, &labs).is_err() {
                of_case.push(fault);
            }
        }
        assert!(noticed.iter().any(|(_, faults)| faults.contains(&fault)), "nothing notices {fault:?}");
    }
    for (case, faults) in noticed {
        println!("{case}: {faults:?}");
        // Everything notices a backend that does nothing; that alone shows little.
        assert!(faults.contains(&Inert), "{case} passes on a backend that does nothing");
        assert!(faults.len() > 1, "{case} notices nothing but that");
    }
}

#[test]
fn inv_v4_packets_after_revocations_are_counted() {
    let done = block_on(revocations(&FakeLabs::default(), 100, 3)).unwrap();
    assert_eq!((done.runs, done.delivered_after), (3, 0), "{done:?}");
    assert!(done.delivered_before.min(done.sent_after) >= 3 * 12 * 100, "{done:?}");
    let leaky = FakeLabs { fault: Some(Fault::FilterOff) };
    let done = block_on(revocations(&leaky, 0, 3)).unwrap();
    assert!(done.delivered_after >= 3 * 100, "{done:?}");
}
