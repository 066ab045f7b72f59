//! Virtual machines: a kernel is booted, and its console read until the guest is done.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use zt_kernel_tests::console::Line;

use crate::error::{Error, Missing};
use crate::programs::Program;
use crate::transcript::{Ending, Transcript};

/// How long a kernel may take until init runs. It takes a few seconds.
const UNTIL_INIT: Duration = Duration::from_secs(120);
/// How long KVM may take to answer.
const UNTIL_KVM: Duration = Duration::from_secs(10);
/// `oops` makes a panic of whatever the kernel does wrong, and a panic ends the machine.
const COMMAND_LINE: &str = "console=ttyS0 rdinit=/init oops=panic panic=-1";

/// What executes the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Accelerator {
    /// QEMU itself: works everywhere.
    Tcg,
    /// The host's kernel: faster, where it works.
    Kvm,
}

impl Accelerator {
    /// Whether it can be used here.
    pub(crate) fn check(self) -> Result<(), Missing> {
        if self == Self::Tcg {
            return Ok(());
        }
        let (answer, answered) = mpsc::channel();
        // In a thread, because opening it may hang.
        thread::spawn(move || {
            drop(answer.send(OpenOptions::new().read(true).write(true).open("/dev/kvm").map(drop)));
        });
        match answered.recv_timeout(UNTIL_KVM) {
            Ok(Ok(())) => Ok(()),
            _ => Err(Missing::Kvm(UNTIL_KVM.as_secs())),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        }
    }
}

/// A machine that can be booted.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) accelerator: Accelerator,
    /// The kernel.
    pub(crate) image: PathBuf,
    /// Its file system.
    pub(crate) initramfs: PathBuf,
}

impl Machine {
    /// Boots it, and reads its console until the guest is done, the machine stops or the deadline has come.
    pub(crate) fn boot(
        &self,
        deadline: Instant,
        mut heard: impl FnMut(&Line),
    ) -> Result<(Transcript, Ending), Error> {
        let mut running = self.start()?;
        let lines = running.lines();
        let until_init = deadline.min(after(Instant::now(), UNTIL_INIT));
        let mut transcript = Transcript::default();
        while !transcript.has_ended() {
            let (until, too_late) = match transcript.release() {
                Some(_) => (deadline, "time is up"),
                None => (until_init, "init does not begin"),
            };
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(text) => {
                    if let Some(line) = transcript.read(&text) {
                        heard(&line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let ending = transcript.ending(too_late);
                    return Ok((transcript, ending));
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let ending = transcript.ending("the machine stopped");
        Ok((transcript, ending))
    }

    fn start(&self) -> Result<Running, Error> {
        let mut qemu = Program::Qemu.command()?;
        qemu.args(["-accel", self.accelerator.name(), "-smp", "2", "-m", "1024"]);
        // No disk, no network: a serial console, and what belongs to every PC.
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]);
        qemu.arg("-kernel").arg(&self.image).arg("-initrd").arg(&self.initramfs);
        qemu.args(["-append", COMMAND_LINE]);
        let child = qemu.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Running(child.map_err(|source| Error::io("run", "qemu-system-x86_64".as_ref(), source))?))
    }
}

/// A machine that runs, until this is dropped.
struct Running(Child);

impl Running {
    /// The lines of its console, as they come.
    fn lines(&mut self) -> Receiver<String> {
        let (found, lines) = mpsc::channel();
        if let Some(console) = self.0.stdout.take() {
            thread::spawn(move || {
                let mut console = BufReader::new(console);
                let mut line = Vec::new();
                while console.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                    if found.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        return;
                    }
                    line.clear();
                }
            });
        }
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An instant so much later; the same one if there is none.
pub(crate) fn after(instant: Instant, duration: Duration) -> Instant {
    instant.checked_add(duration).unwrap_or(instant)
}
