//! Kernels: found in the apt index, downloaded and extracted. Nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Missing};
use crate::programs::{Program, output, text};

/// A series of kernels that Debian 12 has packages of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Series {
    /// The stable one of Debian 12.
    V6_1,
    /// The backported one, which is that of Debian 13.
    V6_12,
}

impl Series {
    pub(crate) const ALL: [Self; 2] = [Self::V6_1, Self::V6_12];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }

    /// What the name of its packages begins and ends with. Between are numbers.
    const fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::V6_1 => ("linux-image-6.1.", "-cloud-amd64"),
            Self::V6_12 => ("linux-image-6.12.", "+deb12-cloud-amd64"),
        }
    }

    fn pattern(self) -> String {
        let (begin, end) = self.ends();
        format!("{begin}*{end}")
    }

    /// The package with the greatest numbers in a list of packages, of which each line begins with a name.
    fn newest(self, index: &str) -> Option<&str> {
        let names = index.lines().filter_map(|line| line.split_whitespace().next());
        names.filter_map(|name| Some((self.numbers(name)?, name))).max().map(|(_, name)| name)
    }

    fn numbers(self, package: &str) -> Option<Vec<u32>> {
        let (begin, end) = self.ends();
        let middle = package.strip_prefix(begin)?.strip_suffix(end)?;
        middle.split(['.', '-']).map(|number| number.parse().ok()).collect()
    }
}

/// A kernel's package, extracted.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) series: Series,
    /// The package's name.
    pub(crate) package: String,
    /// The package's version.
    pub(crate) version: String,
    /// Where it was extracted.
    pub(crate) tree: PathBuf,
}

impl Kernel {
    /// The newest of a series. It is downloaded if `cache` does not hold it.
    pub(crate) fn fetch(series: Series, cache: &Path) -> Result<Self, Error> {
        let found = text(Program::AptCache.command()?.args(["search", "--names-only"]).arg(series.ends().0))?;
        let package = series.newest(&found).ok_or_else(|| Missing::Package(series.pattern()))?.to_owned();
        let shown = text(Program::AptCache.command()?.args(["show", "--no-all-versions"]).arg(&package))?;
        let version = version(&shown).ok_or_else(|| Missing::Package(package.clone()))?.to_owned();
        let folder = cache.join(format!("{package}_{version}"));
        let tree = folder.join("tree");
        if !tree.exists() {
            download(&folder, &format!("{package}={version}"))?;
        }
        Ok(Self { series, package, version, tree })
    }

    /// Its release, as `uname -r` says it.
    pub(crate) fn release(&self) -> &str {
        self.package.strip_prefix("linux-image-").unwrap_or(&self.package)
    }

    /// The kernel itself.
    pub(crate) fn image(&self) -> PathBuf {
        self.tree.join("boot").join(format!("vmlinuz-{}", self.release()))
    }
}

fn version(shown: &str) -> Option<&str> {
    shown.lines().find_map(|line| line.strip_prefix("Version: ")).map(str::trim)
}

/// Downloads a package and extracts it into `tree` below the folder, which is there afterwards only if all went well.
fn download(folder: &Path, package: &str) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|source| Error::io("remove", folder, source))?;
    }
    fs::create_dir_all(folder).map_err(|source| Error::io("create", folder, source))?;
    let mut apt: Command = Program::AptGet.command()?;
    let refused = |error: Error| Missing::Download { package: package.to_owned(), said: error.to_string() };
    output(apt.args(["download", "--quiet"]).arg(package).current_dir(folder)).map_err(refused)?;
    let read = |source| Error::io("read", folder, source);
    let mut entries = fs::read_dir(folder).map_err(read)?;
    let nothing = || Missing::Download { package: package.to_owned(), said: "there is no file".to_owned() };
    let archive = entries.next().transpose().map_err(read)?.ok_or_else(nothing)?.path();
    let partial = folder.join("partial");
    output(Program::DpkgDeb.command()?.arg("--extract").arg(&archive).arg(&partial))?;
    fs::remove_file(&archive).map_err(|source| Error::io("remove", &archive, source))?;
    fs::rename(&partial, folder.join("tree")).map_err(|source| Error::io("rename", &partial, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "\
linux-image-6.1.0-9-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-56-cloud-amd64-dbg - Debug symbols for linux-image-6.1.0-56-cloud-amd64
linux-image-6.1.0-57-cloud-amd64-unsigned - Linux 6.1 for x86-64 cloud
linux-image-6.1.0-56-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.1.0-58-cloud-arm64 - Linux 6.1 for arm64 cloud (signed)
linux-image-6.1.0-59-amd64 - Linux 6.1 for 64-bit PCs (signed)
linux-image-6.1.0-60-rt-amd64 - Linux 6.1 for 64-bit PCs, PREEMPT_RT (signed)
linux-image-6.1.0-0.deb11.61-cloud-amd64 - Linux 6.1 for x86-64 cloud (signed)
linux-image-6.12.100+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.99+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.117+deb12-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.118+deb12-cloud-amd64-unsigned - Linux 6.12 for x86-64 cloud
linux-image-6.12.119+deb13-cloud-amd64 - Linux 6.12 for x86-64 cloud (signed)
linux-image-6.12.48+deb12-1-cloud-amd64
linux-image-cloud-amd64 - Linux for x86-64 cloud (meta-package)

linux-image-6.1.-cloud-amd64
";

    #[test]
    fn the_newest_package_is_the_one_with_the_greatest_numbers() {
        assert_eq!(Series::V6_1.newest(INDEX), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(Series::V6_12.newest(INDEX), Some("linux-image-6.12.117+deb12-cloud-amd64"));
    }

    #[test]
    fn without_a_package_of_the_series_there_is_none() {
        let rest: String =
            INDEX.lines().filter(|line| !line.contains("6.12.1")).flat_map(|line| [line, "\n"]).collect();
        assert_eq!(Series::V6_12.newest(&rest), Some("linux-image-6.12.99+deb12-cloud-amd64"));
        assert_eq!(Series::V6_12.newest(&rest.replace("+deb12", "")), None);
        assert_eq!(Series::V6_1.newest(""), None);
    }

    #[test]
    fn the_release_is_in_the_name() {
        let package = Series::V6_12.newest(INDEX).unwrap().to_owned();
        let kernel = Kernel {
            series: Series::V6_12,
            package,
            version: "6.12.117-1~bpo12+1".to_owned(),
            tree: "t".into(),
        };
        assert_eq!(kernel.release(), "6.12.117+deb12-cloud-amd64");
        assert_eq!(kernel.image(), Path::new("t/boot/vmlinuz-6.12.117+deb12-cloud-amd64"));
    }

    #[test]
    fn the_version_is_that_of_the_first_record() {
        let shown = "Package: a\nVersion: 6.1.192-1\nDepends: b (= 2)\n\nPackage: a\nVersion: 6.1.1-1\n";
        assert_eq!(version(shown), Some("6.1.192-1"));
        assert_eq!(version("N: Unable to locate package a\n"), None);
    }
}
