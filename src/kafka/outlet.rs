//! Records that nobody waits for and that are not to be lost for that: they are sent one after the other behind whoever
//! hands them over, each until it is delivered.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::producer::{OutRecord, Producer};

/// Records that may wait while no broker takes them; one beyond is lost, and said to be.
const WAITING: usize = 1000;

/// Pause before a record that was not delivered is sent again.
const AGAIN: Duration = Duration::from_secs(2);

/// What became of a record, or of one attempt to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The broker has it.
    Delivered,
    /// No broker took it in time; it is sent again.
    Again,
    /// It is given up: the broker refuses it, or too many wait.
    Lost,
}

impl Sent {
    /// Its name in figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again => "again",
            Self::Lost => "lost",
        }
    }
}

/// Told of each record and attempt; must not block.
pub type Count = Arc<dyn Fn(Sent) + Send + Sync>;

/// The way out; copies share one queue. Its task ends when the last of them is dropped.
#[derive(Clone)]
pub struct Outlet {
    queue: mpsc::Sender<OutRecord>,
    waiting: Arc<watch::Sender<usize>>,
    count: Count,
}

impl Outlet {
    /// An outlet whose task runs on `runtime`.
    pub fn start(producer: Producer, runtime: &Handle, count: Count) -> Self {
        let (queue, mut records) = mpsc::channel::<OutRecord>(WAITING);
        let outlet = Self { queue, waiting: Arc::new(watch::Sender::new(0)), count: count.clone() };
        let waiting = outlet.waiting.clone();
        runtime.spawn(async move {
            while let Some(record) = records.recv().await {
                deliver(&producer, &record, &count).await;
                waiting.send_modify(|waiting| *waiting -= 1);
            }
        });
        outlet
    }

    /// Hands a record over, behind those handed over before. Never waits.
    pub fn give(&self, record: OutRecord) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        if let Err(error) = self.queue.try_send(record) {
            self.waiting.send_modify(|waiting| *waiting -= 1);
            tracing::error!(%error, "{WAITING} records wait for the broker already: this one is lost");
            (self.count)(Sent::Lost);
        }
    }

    /// Waits at most so long until nothing waits; answers how many still do.
    pub async fn settled(&self, within: Duration) -> usize {
        let mut seen = self.waiting.subscribe();
        // Not in time is told by what still waits; the sender of the watch lives in here.
        tokio::time::timeout(within, seen.wait_for(|waiting| *waiting == 0)).await.ok();
        *self.waiting.borrow()
    }
}

async fn deliver(producer: &Producer, record: &OutRecord, count: &Count) {
    loop {
        match producer.send(record.clone()).await {
            Ok(()) => return count(Sent::Delivered),
            Err(error) if error.again() => {
                tracing::warn!(topic = &*record.topic, %error, "a record is sent again");
                count(Sent::Again);
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => {
                tracing::error!(topic = &*record.topic, %error, "a record is lost");
                return count(Sent::Lost);
            }
        }
    }
}
