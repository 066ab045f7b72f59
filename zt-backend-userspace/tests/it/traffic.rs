//! What passes, and what does not.

use crate::lab::{DNS, DNS6, Lab, PING, PING6, SERVER, SERVER6, WEB, address, socket};
use crate::packets::{echo_reply, echo_request, tcp, udp, unreachable};

#[tokio::test]
async fn what_is_granted_passes_both_ways() {
    let mut lab = Lab::open().await;
    let grants = [WEB, DNS, PING, DNS6, PING6];
    let mut device = lab.device(1, &["10.99.0.2", "fd99::2"], &grants).await;
    let cases = [
        ("10.99.0.2:40000", "10.100.5.10:443"),
        ("10.99.0.2:40000", "10.100.5.10:5000"),
        ("10.99.0.2:40000", "10.100.5.10:5099"),
        ("[fd99::2]:40000", "[fd10:100:5::10]:5050"),
    ];
    for (near, far) in cases {
        let (near, far) = (socket(near), socket(far));
        let (there, back) = if far.port() == 443 {
            (tcp(near, far, 0x02, b""), tcp(far, near, 0x12, b""))
        } else {
            (udp(near, far, b"there"), udp(far, near, b"back"))
        };
        device.send(there.clone()).await;
        assert_eq!(lab.arrives().await, there);
        lab.reply(back.clone()).await;
        assert_eq!(device.arrives().await, back);
        // a report about either
        let report = unreachable(far.ip(), near.ip(), &there);
        lab.reply(report.clone()).await;
        assert_eq!(device.arrives().await, report);
        let report = unreachable(near.ip(), far.ip(), &back);
        device.send(report.clone()).await;
        assert_eq!(lab.arrives().await, report);
    }
    for (near, far) in [("10.99.0.2", SERVER), ("fd99::2", SERVER6)] {
        let (near, far) = (address(near), address(far));
        device.send(echo_request(near, far, 7, b"ping")).await;
        assert_eq!(lab.arrives().await, echo_request(near, far, 7, b"ping"));
        lab.reply(echo_reply(far, near, 7, b"ping")).await;
        assert_eq!(device.arrives().await, echo_reply(far, near, 7, b"ping"));
    }
}
