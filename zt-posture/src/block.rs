//! Whether block devices are encrypted, as `/sys` shows what they lie on.

use crate::sysroot::{ReadError, Sysroot};

/// The most devices that are looked at; more is unclear.
const MAX_DEVICES: usize = 64;
/// The most devices that may lie one on the other; more, or a circle, is unclear.
const MAX_LAYERS: usize = 16;

/// The beginnings of the uuid of mappings that encrypt. `CRYPT-VERITY-` and `CRYPT-INTEGRITY-` are made by the same
/// tools and do not.
const ENCRYPTING: [&str; 7] = [
    "CRYPT-LUKS1-",
    "CRYPT-LUKS2-",
    "CRYPT-PLAIN-",
    "CRYPT-LOOPAES-",
    "CRYPT-TCRYPT-",
    "CRYPT-BITLK-",
    "CRYPT-FVAULT2-",
];

/// What was found of a set of devices.
pub(crate) enum Encryption {
    /// All are; this file says so of one of them.
    Encrypted(String),
    /// This one is not, at least.
    Plain(String),
    /// It could not be told; the text says why.
    Unclear(String),
}

enum Layer {
    /// Encrypts, as this file says.
    Encrypts(String),
    /// Lies on these, and changes nothing.
    On(Vec<String>),
    /// Lies on nothing else that we know of.
    Bottom,
}

/// Follows devices, each given by its directory in `/sys`, down to a layer that encrypts or to the bottom.
pub(crate) fn examine(sysroot: &Sysroot, devices: Vec<String>) -> Encryption {
    let mut pending: Vec<(String, usize)> = devices.into_iter().map(|device| (device, 1)).collect();
    let mut encrypted = None;
    let mut unclear = None;
    for _ in 0..MAX_DEVICES {
        let Some((device, depth)) = pending.pop() else {
            let encrypted = encrypted.map(Encryption::Encrypted);
            let none = || Encryption::Unclear("no devices".into());
            return unclear.map(Encryption::Unclear).or(encrypted).unwrap_or_else(none);
        };
        match layer(sysroot, &device) {
            Ok(Layer::Encrypts(source)) => encrypted = Some(source),
            Ok(Layer::On(_)) if depth == MAX_LAYERS => {
                unclear = Some(format!("more than {MAX_LAYERS} devices lie one on the other"));
            }
            Ok(Layer::On(below)) => {
                pending.extend(below.into_iter().map(|device| (device, depth.saturating_add(1))));
            }
            Ok(Layer::Bottom) => return Encryption::Plain(device),
            Err(reason) => unclear = Some(reason),
        }
    }
    Encryption::Unclear(format!("more than {MAX_DEVICES} devices lie under `/`"))
}

fn layer(sysroot: &Sysroot, device: &str) -> Result<Layer, String> {
    let exists = |file: &str| sysroot.exists(&format!("{device}/{file}")).map_err(|error| error.to_string());
    if !exists("dev")? {
        return Err(format!("`{device}/dev` is missing"));
    }
    if exists("partition")? {
        return Ok(Layer::On(vec![format!("{device}/..")]));
    }
    let uuid = format!("{device}/dm/uuid");
    match sysroot.read_text(&uuid) {
        Ok(text) if ENCRYPTING.iter().any(|prefix| text.starts_with(prefix)) => {
            return Ok(Layer::Encrypts(uuid));
        }
        Err(error) if !error.is_missing() => return Err(error.to_string()),
        Ok(_) | Err(_) => {}
    }
    let below = sysroot.list(&format!("{device}/slaves")).map_err(|error: ReadError| error.to_string())?;
    if !below.is_empty() {
        return Ok(Layer::On(below.iter().map(|name| format!("{device}/slaves/{name}")).collect()));
    }
    if exists("loop/backing_file")? {
        return Err(format!("`{device}` is a file on another filesystem"));
    }
    if exists("dm")? {
        return Err(format!("`{device}` is a mapping onto nothing"));
    }
    Ok(Layer::Bottom)
}
