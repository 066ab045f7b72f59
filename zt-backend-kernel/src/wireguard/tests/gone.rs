//! Something else has taken the device's place.

use super::*;
use crate::wireguard::error::{ReadError, WriteError};

#[tokio::test]
async fn whatever_has_become_of_the_device_it_is_gone() {
    let changes: [fn(&Kernel); 5] = [
        |kernel| kernel.model().index = 8,
        |kernel| kernel.model().name = "wg1".into(),
        |kernel| kernel.model().public_key = None,
        |kernel| kernel.model().public_key = Some(*key(9).as_bytes()),
        |kernel| {
            kernel.model().answers.extend([super::answers::Answer::Refused(rustix::io::Errno::OPNOTSUPP); 6])
        },
    ];
    for change in changes {
        let kernel = Kernel::new();
        let device = device(&kernel);
        device.add(&[peer(1)]).await.unwrap();
        assert_eq!(device.check().await.unwrap().map(Into::into), Some(51_820_u16));
        change(&kernel);
        let sent = kernel.sent();
        assert!(matches!(device.check().await, Err(ReadError::Gone)));
        assert!(matches!(device.observe().await, Err(ReadError::Gone)));
        assert!(matches!(device.add(&[peer(2)]).await, Err(WriteError::Gone)));
        assert!(matches!(device.set_allowed_ips(&[(key(1), hosts(1..3))]).await, Err(WriteError::Gone)));
        assert!(matches!(device.remove(&[key(1)].into()).await, Err(WriteError::Gone)));
        assert_eq!(kernel.sent(), sent, "nothing was given, nothing removed");
    }
}

/// A cut costs one message, which is why it does not ask whose device it is: it only ever takes away.
#[tokio::test]
async fn a_cut_goes_to_the_index() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    device.add(&[peer(1)]).await.unwrap();
    kernel.model().name = "wg1".into();
    device.set_allowed_ips(&[(key(1), BTreeSet::new())]).await.unwrap();
    assert_eq!(kernel.peers()[&key(1)], BTreeSet::new());
    kernel.model().index = 8;
    let outcome = device.set_allowed_ips(&[(key(1), BTreeSet::new())]).await;
    assert!(matches!(outcome, Err(WriteError::Gone)));
}
