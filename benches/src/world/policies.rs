//! The policies of the world, as their files would be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use zt_core::event::PolicySource;

use super::{GROUPS, GROUPS_OF_PERSON, SEGMENTS, group, segment};

/// What a site of the world adds to the schema.
pub const SCHEMA: &str = "namespace Site { type ResourceAttributes = { sensitivity: Long }; }";

/// A permit of the world: who, where, and the numbers in its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// The group of people.
    pub group: usize,
    /// The segment of resources.
    pub segment: usize,
    /// The least version of the operating system.
    pub os_version: usize,
    /// The most hours since the second factor.
    pub hours: usize,
    /// The most sensitive resource.
    pub sensitivity: usize,
}

/// The two forbids of every set: who they are for is everybody.
pub const FORBIDS: [(&str, &str); 2] = [
    ("unmanaged", r#"context.posture.managed.status == "pass""#),
    ("risky", r#"context.posture.risk.status == "pass" && context.posture.risk.value < 80"#),
];

/// The permits of a set of `policies`, of which two are forbids.
///
/// The first five are for the groups of the person who is asked about, in the segment that is asked about, so that the
/// same seven policies match at every size; the other pairs of group and segment come in mixed order, each once.
#[must_use]
pub fn permits(policies: usize) -> Vec<Permit> {
    let asked = |pair: usize| pair.is_multiple_of(SEGMENTS) && pair / SEGMENTS < GROUPS_OF_PERSON;
    let matching = (0..GROUPS_OF_PERSON).map(|group| group * SEGMENTS);
    let pairs = GROUPS * SEGMENTS;
    // 7,919 has no divisor in common with the number of pairs, so that each pair comes once.
    let others = (0..pairs).map(|index| index * 7_919 % pairs).filter(|pair| !asked(*pair));
    let permits = matching.chain(others).take(policies.saturating_sub(FORBIDS.len())).enumerate();
    permits.map(|(index, pair)| permit(index, pair / SEGMENTS, pair % SEGMENTS)).collect()
}

const fn permit(index: usize, group: usize, segment: usize) -> Permit {
    let (os_version, hours, sensitivity) = (10 + index % 5, 8 + index % 4, 2 + index % 4);
    Permit { group, segment, os_version, hours, sensitivity }
}

/// A permit for each of 40 groups in a segment of its own: whoever is in two of them has two segments.
#[must_use]
pub fn few_permits() -> Vec<Permit> {
    (0..40).map(|group| Permit { sensitivity: 6, ..permit(group, group, group) }).collect()
}

/// The bundle of these permits and the two forbids.
#[must_use]
pub fn bundle(permits: &[Permit]) -> PolicySource {
    source(text(permits))
}

/// A bundle of one file with this text.
#[must_use]
pub fn source(text: String) -> PolicySource {
    PolicySource {
        policies: BTreeMap::from([("access.cedar".to_owned(), text)]),
        schema: BTreeMap::from([("site.cedarschema".to_owned(), SCHEMA.to_owned())]),
    }
}

/// The text of these permits and the two forbids.
#[must_use]
pub fn text(permits: &[Permit]) -> String {
    let mut text = String::new();
    for (id, unless) in FORBIDS {
        text.push_str(&forbid(id, unless));
    }
    for permit in permits {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            r#"
@id("{group}-in-{segment}")
permit (
    principal in Zt::Group::"{group}",
    action == Zt::Action::"connect",
    resource in Zt::Segment::"{segment}"
)
when {{
    context.posture.disk_encrypted.status == "pass" &&
    context.posture.edr_running.status == "pass" &&
    context.posture.os_version.status == "pass" &&
    context.posture.os_version.value >= {os_version} &&
    context.session.mfa.present &&
    context.now.durationSince(context.session.mfa.at) <= duration("{hours}h") &&
    resource.sensitivity <= {sensitivity}
}};"#,
            group = group(permit.group),
            segment = segment(permit.segment),
            os_version = permit.os_version,
            hours = permit.hours,
            sensitivity = permit.sensitivity,
        );
    }
    text
}

/// A forbid for everybody, unless this holds.
#[must_use]
pub fn forbid(id: &str, unless: &str) -> String {
    format!(
        "\n@id(\"{id}\")\nforbid (principal, action == Zt::Action::\"connect\", resource)\nunless {{ {unless} }};\n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_five_permits_match_at_every_size() {
        for policies in [10, 100, 1_000, 10_000] {
            let permits = permits(policies);
            assert_eq!(permits.len() + FORBIDS.len(), policies);
            let pairs: BTreeSet<_> = permits.iter().map(|permit| (permit.group, permit.segment)).collect();
            assert_eq!(pairs.len(), permits.len());
            let matching = pairs.iter().filter(|(group, segment)| *group < 5 && *segment == 0);
            assert_eq!(matching.count(), 5);
        }
    }
}
