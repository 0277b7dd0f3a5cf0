//! Nodes of a cluster that are killed under load, one after the other or all at once, and leaders that move.

use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::rounds;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_and_comes_back_costs_no_answer_and_no_event() {
    let Some(cluster) = Cluster::take().await else { return };
    let kafka = cluster.kafka().await;
    let first = cluster.leader(&kafka.settings.kafka.events_topic);
    let stage = Stage::begin(kafka, &[]).await;
    let rounds = rounds("OUZEL_TEST_NODES", 1);
    for round in 0..rounds {
        let node = (first + u16::try_from(round).unwrap() - 1) % 3 + 1;
        cluster.kill(node);
        stage.goes_on(1000).await;
        cluster.back(node);
        cluster.whole().await;
        // It leads nothing by now: its partitions move once more, to a node that is well.
        cluster.elect();
        stage.goes_on(1000).await;
    }
    stage.end(&format!("{rounds} nodes killed and brought back, leaders moved")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_away_are_said_and_waited_for_while_the_rest_goes_on() {
    let Some(cluster) = Cluster::take().await else { return };
    let stage = Stage::begin(cluster.kafka().await, &[]).await;
    let away = Duration::from_secs(u64::from(rounds("OUZEL_TEST_AWAY", 10)));
    for node in 1..=3 {
        cluster.kill(node);
    }
    stage.degraded(&["kafka"]).await;
    let (begun, http) = (Instant::now(), "ouzel_events_total{source=\"http\"}");
    while begun.elapsed() < away {
        let taken = stage.ouzel.figures().await[http];
        stage.ouzel.until_figure(http, |count| count >= taken + 100.0).await;
        let (status, state) = stage.ouzel.get("/state").await;
        assert_eq!((status, state["kafka"]["broker"]["connected"].as_bool()), (200, Some(false)), "{state}");
    }
    for node in 1..=3 {
        cluster.back(node);
    }
    cluster.whole().await;
    stage.degraded(&[]).await;
    stage.goes_on(1000).await;
    stage.end(&format!("all nodes away for {away:?}")).await;
}
