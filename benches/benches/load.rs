//! Loading a thousand policies, beside what Cedar takes to parse and validate the same text.

use cedar_policy::{ValidationMode, Validator};
use criterion::Criterion;
use zt_benches::Error;
use zt_benches::world::{policies, site, stock};
use zt_core::decide::Decide as _;
use zt_core::site::Site;
use zt_policy::PolicyEngine;

fn main() -> Result<(), Error> {
    let site = Site::parse(&site::site(1_000)).map_err(|error| Error::world("site", error))?;
    let source = policies::bundle(&policies::permits(1_000));
    let text = policies::text(&policies::permits(1_000));
    let validator = Validator::new(stock::schema(&site)?);
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let mut group = criterion.benchmark_group("load-1000-policies");
    group.bench_function("engine", |bencher| {
        bencher.iter(|| PolicyEngine::new().load(&source, &site));
    });
    group.bench_function("cedar-parse-and-validate", |bencher| {
        bencher.iter(|| {
            let set = stock::policy_set(&text)?;
            let passed = validator.validate(&set, ValidationMode::Strict).validation_passed();
            Ok::<_, Error>((set, passed))
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
