//! Callers who ask for lists and take no other answer than a good one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::harness::Ouzel;
use crate::load::STREAMED_USERS;

/// Some callers at once.
pub struct Asking {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<u64>>,
}

impl Asking {
    /// Begins to ask; each caller asks once in `every`, or as soon as it has its answer where that takes longer.
    pub fn begin(ouzel: &Ouzel, callers: usize, every: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |_| tokio::spawn(ask(ouzel.url.clone(), every, stop.clone()));
        Self { callers: (0..callers).map(ask).collect(), stop }
    }

    /// Ends it; how many answers came, all of them good.
    pub async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut asked = 0;
        for caller in self.callers {
            asked += caller.await.unwrap();
        }
        asked
    }
}

async fn ask(url: String, every: Duration, stop: Arc<AtomicBool>) -> u64 {
    let http = reqwest::Client::new();
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let next = Instant::now() + every;
        let path = format!("/recommend?user=streamed-{}&n=5&include_seen=true", asked % STREAMED_USERS);
        let response = http.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(response.status(), 200, "answers go on");
        let list: Value = response.json().await.unwrap();
        assert_eq!(list["items"].as_array().unwrap().len(), 5, "{list}");
        asked += 1;
        tokio::time::sleep_until(next).await;
    }
    asked
}
