//! The site of the world, as its file would be.

use std::fmt::Write as _;

use zt_core::event::SiteSource;

use super::{GROUPS, ISSUER, SEGMENTS, group, resource, segment, segment_of, sensitivity_of};

/// The facts that the site declares, with their kinds.
pub const FACTS: [(&str, &str); 8] = [
    ("disk_encrypted", "bool"),
    ("edr_running", "bool"),
    ("kernel", "string"),
    ("managed", "bool"),
    ("os_version", "long"),
    ("reboot_required", "bool"),
    ("risk", "long"),
    ("secure_boot", "bool"),
];

/// A site with so many resources.
#[must_use]
pub fn site(resources: usize) -> SiteSource {
    let mut text = String::from(
        "[pools]\nv4 = \"10.0.0.0/9\"\nv6 = \"fd5a:7a74:9a00:1::/64\"\n\
         [[gateway]]\nid = \"gw-1\"\ngroup = \"main\"\nendpoint = \"192.0.2.1:51820\"\n",
    );
    // Writing to a `String` cannot fail.
    for id in (0..GROUPS).map(group) {
        let _ = writeln!(
            text,
            "[[group]]\nid = \"{id}\"\nclaims = [{{ issuer = \"{ISSUER}\", value = \"{id}\" }}]"
        );
    }
    for id in (0..SEGMENTS).map(segment) {
        let _ = writeln!(text, "[[segment]]\nid = \"{id}\"");
    }
    for (id, kind) in FACTS {
        let _ = writeln!(text, "[[fact]]\nid = \"{id}\"\nkind = \"{kind}\"\nmax-age = \"24h\"");
    }
    for index in 0..resources {
        let (id, of) = (resource(index), segment(segment_of(index)));
        let (high, low) = (index / 256, index % 256);
        let _ = writeln!(
            text,
            "[[resource]]\nid = \"{id}\"\ngateways = \"main\"\naddresses = [\"172.16.{high}.{low}/32\"]\n\
             services = [\"tcp/443\"]\nsegments = [\"{of}\"]\nattributes = {{ sensitivity = {} }}",
            sensitivity_of(index)
        );
    }
    SiteSource { file: "site.toml".to_owned(), text }
}
