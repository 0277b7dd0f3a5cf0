//! The three nodes of `scripts/kafka-cluster`, which a test has for itself and may kill.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ouzel::kafka::topics;
use ouzel::settings::Secret;
use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tokio::sync::{Mutex as TurnMutex, MutexGuard};

use crate::harness::PATIENCE;
use crate::kafka::Kafka;
use crate::tell;

/// One test at a time has the nodes.
static TURN: TurnMutex<()> = TurnMutex::const_new(());

const ASK: Duration = Duration::from_secs(5);

pub struct Cluster {
    servers: String,
    base: u16,
    down: Mutex<Vec<u16>>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// The cluster, with all of its nodes; none where there is no cluster and it need not be.
    pub async fn take() -> Option<Self> {
        let Ok(servers) = std::env::var("OUZEL_TEST_CLUSTER") else {
            assert!(std::env::var("CI").is_err(), "CI runs with a cluster: set OUZEL_TEST_CLUSTER");
            tell("left out: OUZEL_TEST_CLUSTER names no cluster (scripts/kafka-cluster start)");
            return None;
        };
        let base = std::env::var("OUZEL_TEST_CLUSTER_BASE").unwrap().parse().unwrap();
        let _turn = TURN.lock().await;
        let cluster = Self { servers, base, down: Mutex::default(), _turn };
        cluster.whole().await;
        Some(cluster)
    }

    /// Topics of the test's own, each on all nodes.
    pub async fn kafka(&self) -> Kafka {
        let mut kafka = Kafka::on(Some(self.servers.clone()));
        // What a sender has sent counts: it waits for as long as the brokers are away.
        kafka.settings.kafka.options.insert("message.timeout.ms".to_owned(), Secret::new("300000"));
        self.make(&topics::names(&kafka.settings.kafka)).await;
        kafka
    }

    /// Where a wire of the test's own has to listen for node `n`, and where it passes on to.
    pub fn wire(&self, n: u16) -> (u16, u16) {
        (self.base + 20 + n, self.base + 10 + n)
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.servers).create().unwrap()
    }

    pub async fn make(&self, names: &[String]) {
        let new: Vec<NewTopic<'_>> =
            names.iter().map(|name| NewTopic::new(name, 3, TopicReplication::Fixed(3))).collect();
        let options = AdminOptions::new().operation_timeout(Some(ASK));
        for made in self.admin().create_topics(&new, &options).await.unwrap() {
            made.unwrap();
        }
        // The nodes learn of a topic a little after the controller has made it.
        self.whole_with(names).await;
    }

    pub async fn delete(&self, name: &str) {
        for deleted in self.admin().delete_topics(&[name], &AdminOptions::new()).await.unwrap() {
            deleted.unwrap();
        }
    }

    /// `kill -9` of node `n`.
    pub fn kill(&self, n: u16) {
        self.script(&["kill", &n.to_string()]);
        self.down.lock().push(n);
    }

    /// Starts node `n` again.
    pub fn back(&self, n: u16) {
        self.script(&["back", &n.to_string()]);
        self.down.lock().retain(|&down| down != n);
    }

    /// Gives the partitions back to those who should lead them.
    pub fn elect(&self) {
        self.script(&["elect"]);
    }

    fn script(&self, arguments: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka-cluster");
        let mut command = Command::new(script);
        command.args(arguments).env("KAFKA_CLUSTER_PORT", self.base.to_string());
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{arguments:?}: {status}");
    }

    /// The node that leads a topic's first partition.
    pub fn leader(&self, topic: &str) -> u16 {
        let metadata = self.admin().inner().fetch_metadata(Some(topic), ASK).unwrap();
        u16::try_from(metadata.topics()[0].partitions()[0].leader()).unwrap()
    }

    /// Waits until every partition is on all three nodes, in sync.
    pub async fn whole(&self) {
        self.whole_with(&[]).await;
    }

    async fn whole_with(&self, topics: &[String]) {
        let admin = self.admin();
        let begun = Instant::now();
        while !is_whole(&admin, topics) {
            assert!(begun.elapsed() < PATIENCE, "the nodes are not in sync");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn is_whole(admin: &AdminClient<DefaultClientContext>, topics: &[String]) -> bool {
    let Ok(metadata) = admin.inner().fetch_metadata(None, ASK) else { return false };
    let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
    let known = |name: &String| metadata.topics().iter().any(|topic| topic.name() == name);
    metadata.brokers().len() == 3
        && topics.iter().all(known)
        && partitions.all(|at| at.isr().len() == 3 && at.leader() > 0)
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A test that failed leaves the next one a whole cluster.
        for n in self.down.lock().clone() {
            self.back(n);
        }
    }
}
