//! The three ends of access on real packets: suspend, end, revoke key.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says so by panicking")]

use std::time::Duration;

use zt_backend_userspace::Gateway;
use zt_core::control::Receipt;
use zt_core::event::Event;
use zt_core::plan::plan;
use zt_core::time::Timestamp;
use zt_examples::site_files::SiteFiles;
use zt_examples::story::cast::Cast;
use zt_examples::story::stage::{Stage, StartedGateway};
use zt_examples::story::traffic::Sender;

const ENOUGH: usize = 100;
const EVER: Timestamp = Timestamp::from_millis(0);

/// A stage with dana and devon logged in.
async fn stage() -> Stage {
    let files = SiteFiles::embedded();
    let (cast, directory) = Cast::read(&files).unwrap();
    let people = [cast.dana.clone(), cast.devon.clone()];
    let start = async |config| Ok(StartedGateway::new(Gateway::start(config).await?));
    let mut stage = Stage::set(&files, (cast, &directory), Vec::new(), start).await.unwrap();
    for person in &people {
        stage.log_in(person, Duration::from_mins(5)).await.unwrap();
    }
    stage
}

/// A stream of each to the staging API, both well under way.
async fn streams(stage: &Stage) -> [Sender; 2] {
    let cast = &stage.cast;
    let streams = [&cast.dana, &cast.devon]
        .map(|person| stage.traffic.upload(&stage.device(person).unwrap().stack, cast.staging));
    for stream in &streams {
        assert!(stream.meter.wait_delivered(EVER, ENOUGH).await);
    }
    streams
}

/// Nothing that dana sent after the receipt came, though she went on sending and devon's records came.
async fn assert_cut(stage: &Stage, [dana, devon]: &[Sender; 2], receipt: &Receipt) {
    assert!(receipt.is_cut_everywhere());
    assert_eq!(receipt.iter().count(), 1);
    let at = receipt.ended_by().unwrap();
    assert!(dana.meter.wait_sent(at, ENOUGH).await);
    assert!(devon.meter.wait_delivered(at, ENOUGH).await);
    assert_eq!(dana.meter.delivered_of_after(at), 0);
    assert!(stage.peers().await.contains(&stage.device(&stage.cast.devon).unwrap().public_key));
}

/// A suspended session keeps its peer; restored, the very stream goes on.
#[tokio::test(flavor = "multi_thread")]
async fn suspended_session_comes_back() {
    let stage = stage().await;
    let streams = streams(&stage).await;
    let dana = stage.device(&stage.cast.dana).unwrap();
    let receipt = stage.submit(Event::SessionSuspended { session: dana.session }).await.unwrap();
    assert_cut(&stage, &streams, &receipt).await;
    assert!(stage.peers().await.contains(&dana.public_key));
    let restored_at = stage.now();
    let _receipt = stage.submit(Event::SessionRestored { session: dana.session }).await.unwrap();
    assert!(streams[0].meter.wait_delivered(restored_at, ENOUGH).await);
}

/// An ended session loses its peer, and nothing is left to do at the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn ended_session_loses_its_peer() {
    let stage = stage().await;
    let streams = streams(&stage).await;
    let dana = stage.device(&stage.cast.dana).unwrap();
    let receipt = stage.submit(Event::SessionEnded { session: dana.session }).await.unwrap();
    assert_cut(&stage, &streams, &receipt).await;
    assert!(!stage.peers().await.contains(&dana.public_key));
    let (observed, desired) = (stage.backend.observe().await.unwrap(), stage.desired().await.unwrap());
    assert_eq!(plan(&observed, &desired, stage.now()).steps, []);
}

/// A revoked key loses its peer too, whatever its session.
#[tokio::test(flavor = "multi_thread")]
async fn revoked_key_loses_its_peer() {
    let stage = stage().await;
    let streams = streams(&stage).await;
    let public_key = stage.device(&stage.cast.dana).unwrap().public_key;
    let receipt = stage.submit(Event::KeyRevoked { public_key }).await.unwrap();
    assert_cut(&stage, &streams, &receipt).await;
    assert!(!stage.peers().await.contains(&public_key));
}
