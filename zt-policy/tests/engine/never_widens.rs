//! No fact widens access by becoming unknown, whatever the policies, as long as they load.
//!
//! And those that are refused for it are not refused for nothing: plain Cedar, given to them, is found to let in.

mod generate;
mod plain;

use std::cell::Cell;
use std::str::FromStr as _;

use cedar_policy::PolicySet;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use zt_core::decide::Effect;

use generate::{facts, policy, source, world};

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })
}

fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

#[test]
fn inv_p2_no_fact_widens_access_by_becoming_unknown() {
    let [made, loaded, asked, allowed, narrowed, kept] = [const { Cell::new(0) }; 6];
    let strategy = (
        prop::collection::vec(policy(), 4..12),
        any::<bool>(),
        prop::collection::vec((facts(), 0..6_usize), 8),
    );
    let outcome = runner().run(&strategy, |(texts, open, cases)| {
        let mut world = world();
        let mut texts: Vec<_> = texts.iter().map(String::as_str).inspect(|_| count(&made)).collect();
        texts.retain(|text| world.load(&source(&[text])).is_ok());
        texts.iter().for_each(|_| count(&loaded));
        if open {
            texts.push("permit (principal, action, resource);");
        }
        world.load(&source(&texts)).expect("each of them loads");
        for (facts, how) in cases {
            facts.put_into(&mut world);
            let before = world.effect("wiki");
            let mut widened = None;
            facts.changes(&mut world, how, |world| {
                count(&asked);
                let after = world.effect("wiki");
                match (before, after) {
                    (Effect::Allow, Effect::Allow) => count(&kept),
                    (Effect::Allow, Effect::Deny(_)) => count(&narrowed),
                    (Effect::Deny(_), Effect::Allow) => widened = Some(world.device.facts.clone()),
                    (Effect::Deny(_), Effect::Deny(_)) => {}
                }
            });
            if before == Effect::Allow {
                count(&allowed);
            }
            prop_assert!(widened.is_none(), "{texts:#?}\n{facts:#?}\nbecame {widened:#?}");
        }
        Ok(())
    });
    let [made, loaded, asked] = [made.get(), loaded.get(), asked.get()];
    let [allowed, narrowed, kept] = [allowed.get(), narrowed.get(), kept.get()];
    println!(
        "{loaded} of {made} policies loaded; {allowed} allowed before; {asked} changes: {narrowed} narrowed, {kept} kept"
    );
    outcome.expect("never wider");
    assert!(loaded > 1_000 && loaded < made && narrowed > 500 && kept > 500);
}

#[test]
fn most_of_what_is_refused_would_widen_access() {
    let [refused, widening] = [const { Cell::new(0) }; 2];
    let strategy = (policy(), prop::collection::vec(facts(), 300));
    let outcome = runner().run(&strategy, |(text, cases)| {
        let error = world().load(&source(&[&text])).err().map(|error| error.to_string());
        if !error.is_some_and(|said| said.contains(" becomes un") && !said.contains("impossible")) {
            return Ok(());
        }
        count(&refused);
        let set = PolicySet::from_str(&format!("{text} permit (principal, action, resource);"));
        let alone = PolicySet::from_str(&text).expect("a policy");
        let set = set.expect("policies");
        if cases.iter().any(|facts| facts.widens(&set) || facts.widens(&alone)) {
            count(&widening);
        }
        Ok(())
    });
    outcome.expect("it only counts");
    let (refused, widening) = (refused.get(), widening.get());
    println!("{widening} of {refused} refused policies were seen to widen access");
    assert!(refused > 150 && widening * 10 > refused * 7);
}
