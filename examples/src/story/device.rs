//! What a hostile device tries.

use std::net::{IpAddr, SocketAddr};

use zt_core::time::Timestamp;

use super::stage::{Stage, StageError};
use super::traffic::datagram;
use super::{Reach, Row};

const EVER: Timestamp = Timestamp::from_millis(0);
const ATTEMPTS: usize = 50;

/// The device sends everything of the site into the tunnel, whatever it was told.
pub(super) async fn widened_device_config_gains_nothing(stage: &mut Stage) -> Result<Row, StageError> {
    let cast = &stage.cast;
    let dana = stage.device(&cast.dana)?;
    dana.use_routes(&stage.widened_routes(dana).await).await?;
    let forbidden = [cast.neighbour, cast.other_port, cast.grafana, cast.prometheus];
    let probes = forbidden.map(|to| stage.traffic.upload(&dana.stack, to));
    let control = stage.traffic.upload(&dana.stack, cast.staging);
    let alive = control.meter.wait_delivered(EVER, 1).await
        && control.meter.wait_delivered(stage.now(), ATTEMPTS).await;
    let came = probes.iter().filter(|probe| probe.meter.delivered_of_after(EVER) > 0).count();
    drop(probes);
    stage.push_routes().await?;
    Ok(Row {
        step: "widened-device-config-gains-nothing",
        expected: Reach::Blocked,
        observed: observed(came, alive),
        ms: None,
        note: format!(
            "{came} of {} other addresses reached with 0.0.0.0/0 in the device's own configuration",
            forbidden.len()
        ),
    })
}

/// The device sends packets with another device's source address.
pub(super) async fn spoofed_source_dropped(stage: &mut Stage) -> Result<Row, StageError> {
    let cast = &stage.cast;
    let (dana, victim) = (stage.device(&cast.dana)?, stage.device(&cast.devon)?.address);
    let (spoofed_number, spoofed) = stage.traffic.meters.open();
    let (honest_number, honest) = stage.traffic.meters.open();
    for _ in 0..ATTEMPTS {
        for (number, meter, source) in
            [(spoofed_number, &spoofed, victim), (honest_number, &honest, dana.address)]
        {
            let payload = datagram(number, meter.send(stage.now()));
            if let Some(packet) = udp_packet(SocketAddr::new(source, 40_123), cast.wiki_udp, &payload) {
                dana.raw.send(packet).await.map_err(|_| StageError::NoSession("dana"))?;
            }
        }
    }
    let alive = honest.wait_delivered(EVER, ATTEMPTS).await;
    let came = spoofed.delivered_of_after(EVER);
    Ok(Row {
        step: "spoofed-source-dropped",
        expected: Reach::Blocked,
        observed: observed(came, alive),
        ms: None,
        note: format!(
            "{came} of {ATTEMPTS} spoofed datagrams came, {} of {ATTEMPTS} honest ones",
            honest.delivered_of_after(EVER)
        ),
    })
}

const fn observed(came: usize, alive: bool) -> Reach {
    match (came, alive) {
        (1.., _) => Reach::Reachable,
        (0, true) => Reach::Blocked,
        (0, false) => Reach::Inconclusive,
    }
}

/// An IPv4 packet with a UDP datagram (RFC 791, RFC 768); `None` for other addresses, or too much payload.
fn udp_packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (from.ip(), to.ip()) else { return None };
    let udp_length = u16::try_from(payload.len()).ok()?.checked_add(8)?;
    let total = udp_length.checked_add(20)?;
    let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0];
    header.iter_mut().skip(2).zip(total.to_be_bytes()).for_each(|(to, from)| *to = from);
    let addresses = [source.octets(), destination.octets()].concat();
    let sum = checksum(&[header.as_slice(), &addresses].concat());
    header.iter_mut().skip(10).zip(sum.to_be_bytes()).for_each(|(to, from)| *to = from);
    let ports =
        [from.port().to_be_bytes(), to.port().to_be_bytes(), udp_length.to_be_bytes(), [0; 2]].concat();
    Some([header.as_slice(), &addresses, &ports, payload].concat())
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]))
    });
    let sum = words.fold(0_u32, u32::wrapping_add);
    let folded = (sum & 0xffff).wrapping_add(sum >> 16);
    let folded = (folded & 0xffff).wrapping_add(folded >> 16);
    !u16::try_from(folded & 0xffff).unwrap_or(0)
}
