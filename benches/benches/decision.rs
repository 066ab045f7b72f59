//! One decision at several numbers of policies, of which the same seven match: zt's evaluator, stock Cedar, regorus.

use criterion::{BenchmarkId, Criterion};
use zt_benches::Error;
use zt_benches::rows::decision::{Sides, regorus};
use zt_benches::world::rego;
use zt_policy::Answer;

fn main() -> Result<(), Error> {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("decision");
    for policies in [10, 100, 1_000, 10_000] {
        let sides = Sides::new(policies)?;
        let prepared = sides.prepared()?;
        let mut answer = Answer::new();
        group.bench_function(BenchmarkId::new("evaluator", policies), |bencher| {
            bencher.iter(|| prepared.evaluate(std::hint::black_box(&mut answer)));
        });
        group.bench_function(BenchmarkId::new("stock-cedar", policies), |bencher| {
            bencher.iter(|| sides.stock())
        });
        // More rules than this are over the size that regorus takes.
        if policies <= 1_000 {
            let (mut machine, input) = regorus(policies)?;
            group.bench_function(BenchmarkId::new("regorus-rvm", policies), |bencher| {
                bencher.iter(|| rego::allows(&mut machine, &input));
            });
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
