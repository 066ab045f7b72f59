//! What it costs to load policies, beside what Cedar takes to parse and validate the same text.

use cedar_policy::{ValidationMode, Validator};
use zt_core::decide::Decide as _;
use zt_core::site::Site;
use zt_policy::PolicyEngine;

use crate::Error;
use crate::clock::{Times, time};
use crate::report::{Bound, Row};
use crate::world::{policies, site, stock};

const ROUNDS: usize = 5;

/// The row, for so many policies.
///
/// # Errors
/// If an engine refuses the policies.
pub fn row(count: usize) -> Result<Row, Error> {
    let site = Site::parse(&site::site(1_000)).map_err(|error| Error::world("site", error))?;
    let source = policies::bundle(&policies::permits(count));
    let text = policies::text(&policies::permits(count));
    let validator = Validator::new(stock::schema(&site)?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // On the stack that zt-policy uses too, so that neither side pays for growing it.
        let (took, parsed) = time(|| {
            let set = stock::policy_set(&text)?;
            let result = validator.validate(&set, ValidationMode::Strict);
            result.validation_passed().then_some(set).ok_or_else(|| Error::world("cedar", "not valid"))
        });
        let set = parsed?;
        theirs.push(took);
        let mut engine = PolicyEngine::new();
        let (took, loaded) = time(|| engine.load(&source, &site));
        loaded.map_err(|error| Error::world("zt-policy", error))?;
        ours.push(took);
        drop((set, engine));
    }
    let (ours, theirs) = (Times::of(ours), Times::of(theirs));
    let note = format!("medians {:.3} s and {:.3} s", ours.median.as_secs_f64(), theirs.median.as_secs_f64());
    let metric = format!("load_{}k_policies_vs_cedar_parse_and_validate", count / 1_000);
    let row = Row::ratio(metric, ours.min.as_secs_f64(), theirs.min.as_secs_f64(), "s");
    Ok(row.bounded(Bound::AtMost(1.6)).noted(note))
}
