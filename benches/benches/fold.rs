//! One report of posture through the fold, with ten thousand resources and policies: one that changes nothing, and one
//! by which every permit for the person has to be decided again.

use criterion::{BatchSize, Criterion};
use zt_benches::Error;
use zt_benches::world::fleet::{self, Fleet, Health};
use zt_benches::world::{GROUPS_OF_PERSON, policies, site};
use zt_core::device::FactValue;
use zt_core::event::Event;
use zt_policy::PolicyEngine;

fn main() -> Result<(), Error> {
    let permits = policies::permits(10_000);
    let mut fleet = Fleet::new(PolicyEngine::new(), site::site(10_000), policies::bundle(&permits))?;
    let _ = fleet.bring_in(0, 0..GROUPS_OF_PERSON)?;
    let now = fleet.controller.now();
    let same = fleet::report(0, Health::of(0, fleet.kinds), now)?;
    let device = fleet::device(0)?;
    let template = fleet::fact("os_version", true, FactValue::Long(0), now)?;
    let mut versions = 1_000..;
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("fold");
    let fleet = std::cell::RefCell::new(fleet);
    group.bench_function("report-without-news", |bencher| {
        bencher.iter_batched(
            || fleet.borrow().entry(same.clone()),
            |entry| fleet.borrow_mut().controller.handle(&entry).decisions,
            BatchSize::PerIteration,
        );
    });
    group.bench_function("report-that-every-permit-reads", |bencher| {
        bencher.iter_batched(
            || {
                let mut fact = template.clone();
                fact.value = FactValue::Long(versions.next().unwrap_or_default());
                fleet.borrow().entry(Event::PostureReported { device: device.clone(), facts: vec![fact] })
            },
            |entry| fleet.borrow_mut().controller.handle(&entry).decisions,
            BatchSize::PerIteration,
        );
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
