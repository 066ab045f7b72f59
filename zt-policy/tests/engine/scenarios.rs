//! The example site's own policies, told as scenarios: `tests/scenarios/*.txt`.
//!
//! A scenario is a block of lines. It opens with `case` and a sentence; then come the facts, one a line, and at its
//! end `allow` with the resources that may be reached. All others must be denied.
//!
//! ```text
//! case    an operator on a healthy device
//! groups  operations staff
//! mfa     10m ago
//! acr     urn:zt:acr:step-up
//! windows contract-hours
//! fact    edr_running pass true 1m ago
//! allow   grafana prometheus wiki remediation
//! ```

use std::path::Path;
use std::time::Duration;

use zt_core::decide::{Effect, Validity};
use zt_core::device::{FactStatus, FactValue};
use zt_core::identity::Mfa;
use zt_core::time::Timestamp;
use zt_policy::read_bundle;

use crate::world::World;

#[test]
fn the_example_site_decides_as_its_scenarios_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = std::fs::read_to_string(root.join("../examples/site/site.toml")).expect("the example site");
    let bundle = read_bundle(&root.join("../examples/site/policy")).expect("the example policies");
    let mut files: Vec<_> = std::fs::read_dir(root.join("tests/scenarios"))
        .expect("scenarios")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let mut cases = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a text");
        for block in text.split("\n\n").filter(|block| block.lines().any(|line| line.starts_with("case"))) {
            let mut world = World::new(&site);
            world.load(&bundle).expect("the example policies load");
            check(&mut world, block);
            cases += 1;
        }
    }
    assert!(cases >= 20, "{cases} cases were found");
}

#[test]
fn a_contractor_is_decided_on_again_when_the_first_of_the_conditions_turns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = std::fs::read_to_string(root.join("../examples/site/site.toml")).expect("the example site");
    let bundle = read_bundle(&root.join("../examples/site/policy")).expect("the example policies");
    let mut world = World::new(&site);
    world.load(&bundle).expect("the example policies load");
    let minutes = |minutes: i64| world_time(minutes * 60_000);
    world.join("contractors").open("contract-hours");
    world.session.assurance.mfa = Mfa::At(minutes(-60));
    world.report("edr_running", (FactStatus::Pass, FactValue::Bool(true)), minutes(-2));
    world.report("disk_encrypted", (FactStatus::Pass, FactValue::Bool(true)), minutes(-2));
    let answer = world.ask("tickets");
    assert_eq!(answer.because, ["contractors-work-on-tickets"]);
    assert_eq!(
        answer.valid,
        Validity::Until(world_time(13 * 60_000)),
        "the facts are stale first, a millisecond before the disk's is too old for the policy"
    );
    world.session.assurance.mfa = Mfa::At(minutes(5 - 8 * 60));
    assert_eq!(
        world.ask("tickets").valid,
        Validity::Until(world_time(5 * 60_000 + 1)),
        "the second factor does"
    );
    let answer = world.ask("production-db");
    assert_eq!(
        (answer.because, answer.valid),
        (vec![], Validity::Until(world_time(13 * 60_000))),
        "no permit there is for contractors, but the forbid reads a fact that goes stale"
    );
}

fn world_time(millis: i64) -> Timestamp {
    Timestamp::from_millis(crate::world::NEW_YEAR.as_millis() + millis)
}

fn check(world: &mut World, block: &str) {
    let mut case = "";
    let mut expected = None;
    for line in block.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        assert!(expected.is_none(), "{case}: `{line}` after `allow`");
        match word {
            "case" => case = rest,
            "groups" => rest.split(' ').for_each(|group| {
                world.join(group);
            }),
            "windows" => rest.split(' ').for_each(|window| {
                world.open(window);
            }),
            "acr" => world.session.assurance.acr = rest.into(),
            "mfa" => world.session.assurance.mfa = Mfa::At(ago(world.now, rest)),
            "fact" => fact(world, rest),
            "allow" => expected = Some(rest.split(' ').filter(|id| !id.is_empty()).collect::<Vec<_>>()),
            other => panic!("{case}: what is `{other}`?"),
        }
    }
    let ids: Vec<_> = world.site.resources().iter().map(|resource| resource.id.as_str().to_owned()).collect();
    let mut expected = expected.unwrap_or_else(|| panic!("{case}: no `allow`"));
    expected.sort_unstable();
    let allowed: Vec<_> = ids.iter().filter(|id| world.effect(id) == Effect::Allow).collect();
    assert_eq!(allowed, expected, "{case}");
}

fn fact(world: &mut World, text: &str) {
    let words: Vec<_> = text.splitn(4, ' ').collect();
    let [name, status, value, when] = words[..] else { panic!("`fact {text}`") };
    let status = [FactStatus::Pass, FactStatus::Fail, FactStatus::Unknown, FactStatus::Unsupported]
        .into_iter()
        .find(|known| known.as_str() == status)
        .unwrap_or_else(|| panic!("no status `{status}`"));
    let value = value.parse().map_or_else(|_| FactValue::String(value.to_owned()), FactValue::Bool);
    world.report(name, (status, value), ago(world.now, when));
}

/// `15m ago` or `15m ahead`, with `s`, `m` or `h`; sums such as `8h+1s`.
fn ago(now: Timestamp, text: &str) -> Timestamp {
    let (spans, direction) = text.split_once(' ').unwrap_or_else(|| panic!("`{text}` says no direction"));
    let seconds: u64 = spans
        .split('+')
        .map(|span| {
            let (digits, unit) = span.split_at(span.len() - 1);
            let unit = [("s", 1), ("m", 60), ("h", 3_600)]
                .into_iter()
                .find(|(name, _)| *name == unit)
                .expect("a unit")
                .1;
            digits.parse::<u64>().expect("a number") * unit
        })
        .sum();
    match direction {
        "ago" => Timestamp::from_millis(now.as_millis() - i64::try_from(seconds * 1_000).expect("short")),
        "ahead" => now.after(Duration::from_secs(seconds)),
        other => panic!("`{other}` is no direction"),
    }
}
