//! Networks between the service and the brokers that are slow, stand still or are cut.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::stage::Stage;

/// What the wire does.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Passes,
    /// Everything comes so much later.
    Slow(Duration),
    /// Nothing comes, and nobody is told.
    Stalls,
    /// Connections are broken and refused.
    Cut,
}

/// The wires to all nodes.
struct Wires {
    how: watch::Sender<How>,
    listening: Vec<JoinHandle<()>>,
    servers: String,
}

impl Wires {
    async fn lay(cluster: &Cluster) -> Self {
        let (how, _) = watch::channel(How::Passes);
        let (mut listening, mut servers) = (Vec::new(), Vec::new());
        for n in 1..=3 {
            let (from, to) = cluster.wire(n);
            let listener = TcpListener::bind(("127.0.0.1", from)).await.unwrap();
            servers.push(format!("127.0.0.1:{from}"));
            listening.push(tokio::spawn(listen(listener, SocketAddr::from(([127, 0, 0, 1], to)), how.subscribe())));
        }
        Self { how, listening, servers: servers.join(",") }
    }

    fn set(&self, how: How) {
        self.how.send_replace(how);
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(listener: TcpListener, to: SocketAddr, how: watch::Receiver<How>) {
    loop {
        let (from, _) = listener.accept().await.unwrap();
        if *how.borrow() != How::Cut {
            tokio::spawn(connection(from, to, how.clone()));
        }
    }
}

/// Both directions of a connection, until one ends or the wire is cut.
async fn connection(mut from: TcpStream, to: SocketAddr, mut how: watch::Receiver<How>) {
    let Ok(mut to) = TcpStream::connect(to).await else { return };
    let (out, back) = (how.clone(), how.clone());
    let ((from_read, from_write), (to_read, to_write)) = (from.split(), to.split());
    tokio::select! {
        _ = pass(from_read, to_write, out) => {}
        _ = pass(to_read, from_write, back) => {}
        _ = how.wait_for(|how| *how == How::Cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut how: watch::Receiver<How>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let now = *how.borrow();
        if let How::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        // The sender is gone only when the test is over.
        how.wait_for(|how| *how != How::Stalls).await.ok();
        to.write_all(&bytes[..count]).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_stalled_and_cut_networks_are_said_and_cost_nothing() {
    let Some(cluster) = Cluster::take().await else { return };
    let wires = Wires::lay(&cluster).await;
    let stage = Stage::begin(cluster.kafka().await.through(&wires.servers), &[]).await;

    wires.set(How::Slow(Duration::from_millis(100)));
    stage.goes_on(1000).await;
    stage.degraded(&[]).await;

    wires.set(How::Stalls);
    let begun = Instant::now();
    stage.degraded(&["kafka"]).await;
    let silent = begun.elapsed();
    wires.set(How::Passes);
    stage.degraded(&[]).await;
    stage.goes_on(1000).await;

    wires.set(How::Cut);
    stage.degraded(&["kafka"]).await;
    wires.set(How::Passes);
    stage.goes_on(1000).await;
    // Again and again, before anything has settled.
    for _ in 0..10 {
        wires.set(How::Cut);
        tokio::time::sleep(Duration::from_millis(300)).await;
        wires.set(How::Passes);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    stage.goes_on(1000).await;
    stage.end(&format!("networks slow, stalled (said after {silent:?}) and cut")).await;
}
