//! The guest's file system: its program, kernel modules, and which cases to run.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, iter};

use zt_kernel_tests::layout;

use crate::error::{Error, Missing};
use crate::modules::Module;
use crate::newc::Archive;
use crate::programs::{output, text};

/// What guests are built for: without libraries, so that nothing but the program has to be packed.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// The program that runs in guests.
#[derive(Debug)]
pub(crate) struct Guest {
    content: Vec<u8>,
}

impl Guest {
    /// Whether guests can be built here.
    pub(crate) fn check() -> Result<(), Error> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let libraries =
            text(in_workspace(Command::new(rustc)).args(["--print", "target-libdir", "--target", TARGET]))?;
        if Path::new(libraries.trim()).is_dir() { Ok(()) } else { Err(Missing::Target(TARGET).into()) }
    }

    /// Builds it in a target folder of cargo's.
    pub(crate) fn build(target_folder: &Path) -> Result<Self, Error> {
        let mut cargo = in_workspace(Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())));
        cargo.args(["build", "--release", "--package", env!("CARGO_PKG_NAME"), "--bin", "guest"]);
        output(cargo.args(["--target", TARGET]).arg("--target-dir").arg(target_folder))?;
        let path = target_folder.join(TARGET).join("release/guest");
        let content = fs::read(&path).map_err(|source| Error::io("read", &path, source))?;
        Ok(Self { content })
    }

    /// Writes an initramfs to a new file; `filter` is a part of the names of cases, empty for all of them.
    pub(crate) fn pack(&self, modules: &[Module], filter: &str, path: PathBuf) -> Result<PathBuf, Error> {
        let written = File::create(&path)
            .and_then(|file| self.write(modules, filter, Archive::new(BufWriter::new(file))));
        written.map_err(|source| Error::io("write", &path, source))?;
        Ok(path)
    }

    fn write(
        &self,
        modules: &[Module],
        filter: &str,
        mut archive: Archive<BufWriter<File>>,
    ) -> io::Result<()> {
        for folder in ["dev", "proc", "sys", "tmp", layout::MODULES] {
            archive.directory(folder)?;
        }
        // The kernel opens it for init before anything is mounted.
        archive.character_device("dev/console", (5, 1))?;
        archive.program(layout::INIT, &self.content)?;
        archive.file(layout::FILTER, filter.as_bytes())?;
        for module in modules {
            archive.file(&format!("{}/{}", layout::MODULES, module.file), &module.content)?;
        }
        let order: String =
            modules.iter().flat_map(|module| iter::once(module.file.as_str()).chain(["\n"])).collect();
        archive.file(layout::MODULE_ORDER, order.as_bytes())?;
        archive.finish().map(drop)
    }
}

/// So that the workspace's toolchain is used, wherever this program was started.
fn in_workspace(mut command: Command) -> Command {
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
