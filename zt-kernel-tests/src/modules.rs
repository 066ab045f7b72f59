//! Which kernel modules the guest loads, and in what order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::programs::{Program, output};

/// The modules that cases need. A kernel may have some of them built in.
const WANTED: [&str; 19] = [
    "dummy",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_defrag_ipv4",
    "nf_defrag_ipv6",
    "nf_flow_table_inet",
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
    "nft_flow_offload",
    "nft_limit",
    "nft_log",
    "nft_masq",
    "nft_nat",
    "nft_reject_inet",
    "tun",
    "veth",
    "wireguard",
];

/// Modules of older kernels, which newer ones have inside of `nf_tables`.
const WANTED_IF_THERE: [&str; 1] = ["nft_objref"];

/// A module, ready to be loaded.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its file's name, such as `wireguard.ko`.
    pub(crate) file: String,
    /// What is in the file, uncompressed.
    pub(crate) content: Vec<u8>,
}

/// A module that is wanted, but neither there nor built in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this kernel has no module `{0}`")]
pub(crate) struct NoModule(String);

/// What cases need and what that needs, in the order in which it has to be loaded.
///
/// `tree` holds the kernel's package, `release` is the kernel's.
pub(crate) fn read(tree: &Path, release: &str) -> Result<Vec<Module>, Error> {
    output(Program::Depmod.command()?.arg("-b").arg(tree).arg(release))?;
    let folder = tree.join("lib/modules").join(release);
    let text = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|source| Error::io("read", &path, source))
    };
    let (dependencies, builtin) = (text("modules.dep")?, text("modules.builtin")?);
    let mut modules = Modules::new(&dependencies, &builtin);
    for name in WANTED {
        modules.want(name)?;
    }
    for name in WANTED_IF_THERE {
        drop(modules.want(name));
    }
    modules.order.into_iter().map(|path| module(&folder.join(path))).collect()
}

/// The modules of a kernel, and those of them that are wanted.
struct Modules<'t> {
    /// What each needs, by paths.
    needs: BTreeMap<&'t str, Vec<&'t str>>,
    /// The paths by names.
    paths: BTreeMap<String, &'t str>,
    /// Names of modules that have no file.
    builtin: BTreeSet<String>,
    /// The paths of those that are wanted and of all that they need, each after what it needs.
    order: Vec<&'t str>,
}

impl<'t> Modules<'t> {
    /// None wanted so far; the arguments are the texts of `modules.dep` and `modules.builtin`.
    fn new(dependencies: &'t str, builtin: &str) -> Self {
        let needs: BTreeMap<&str, Vec<&str>> = dependencies
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| (path, needs.split_whitespace().collect()))
            .collect();
        let paths = needs.keys().map(|path| (name(path), *path)).collect();
        Self { needs, paths, builtin: builtin.lines().map(name).collect(), order: Vec::new() }
    }

    fn want(&mut self, name: &str) -> Result<(), NoModule> {
        match self.paths.get(name) {
            Some(path) => self.visit(path),
            None if self.builtin.contains(name) => {}
            None => return Err(NoModule(name.to_owned())),
        }
        Ok(())
    }

    /// Adds a module after what it needs. depmod refuses circles.
    fn visit(&mut self, path: &'t str) {
        if self.order.contains(&path) {
            return;
        }
        for needed in self.needs.get(path).cloned().unwrap_or_default() {
            self.visit(needed);
        }
        self.order.push(path);
    }
}

/// The name of a module by its path: `kernel/net/nf-log.ko.xz` is `nf_log`.
fn name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

fn module(path: &Path) -> Result<Module, Error> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(file) = file.strip_suffix(".xz") {
        let content = output(Program::Xz.command()?.args(["--decompress", "--stdout"]).arg(path))?;
        return Ok(Module { file: file.to_owned(), content });
    }
    let content = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    Ok(Module { file, content })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "\
kernel/arch/x86/crypto/curve25519-x86_64.ko.xz: kernel/lib/crypto/libcurve25519-generic.ko.xz
kernel/lib/crypto/libcurve25519-generic.ko.xz:
kernel/net/ipv4/udp_tunnel.ko.xz:
kernel/net/ipv6/ip6_udp_tunnel.ko.xz:
kernel/drivers/net/wireguard/wireguard.ko.xz: kernel/arch/x86/crypto/curve25519-x86_64.ko.xz kernel/lib/crypto/libcurve25519-generic.ko.xz kernel/net/ipv6/ip6_udp_tunnel.ko.xz kernel/net/ipv4/udp_tunnel.ko.xz
kernel/drivers/net/veth.ko.xz:
kernel/drivers/net/unrelated.ko.xz: kernel/net/ipv4/udp_tunnel.ko.xz
kernel/net/netfilter/nf-tables.ko: kernel/net/netfilter/nfnetlink.ko
kernel/net/netfilter/nfnetlink.ko:
";
    const BUILTIN: &str = "kernel/drivers/net/tun.ko\nkernel/fs/ext4.ko\n";

    fn order(wanted: &[&str]) -> Result<Vec<String>, NoModule> {
        let mut modules = Modules::new(DEPENDENCIES, BUILTIN);
        for name in wanted {
            modules.want(name)?;
        }
        Ok(modules.order.into_iter().map(name).collect())
    }

    #[test]
    fn each_module_comes_after_what_it_needs_and_once() {
        let order = order(&["wireguard", "veth", "nf_tables", "wireguard", "udp_tunnel"]).unwrap();
        let expected = [
            "libcurve25519_generic",
            "curve25519_x86_64",
            "ip6_udp_tunnel",
            "udp_tunnel",
            "wireguard",
            "veth",
            "nfnetlink",
            "nf_tables",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn what_is_built_in_needs_no_file() {
        assert_eq!(order(&["tun", "veth"]).unwrap(), ["veth"]);
    }

    #[test]
    fn a_module_that_is_nowhere_is_named() {
        assert_eq!(order(&["veth", "nft_ct"]), Err(NoModule("nft_ct".to_owned())));
    }

    #[test]
    fn names_are_as_the_kernel_has_them() {
        assert_eq!(name("kernel/net/netfilter/nf-log.ko.xz"), "nf_log");
        assert_eq!(name("veth.ko"), "veth");
    }
}
