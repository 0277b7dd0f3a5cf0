//! The load generator: one thread, many connections, requests without pipelining.
//!
//! Latencies of an open-loop run count from the time at which a request was due, whether or not a connection was free for
//! it then, so that a server that stalls is charged for every request that would have come meanwhile.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// When requests are sent.
#[derive(Debug, Clone, Copy)]
pub enum Arrivals {
    /// Each connection sends as soon as it has its answer.
    Closed,
    /// So many in a second, at random times, whatever the server does.
    Open(f64),
}

/// The answers of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each answer with a status of 200: seconds from the start of the run to when the request was due, and from then
    /// to the answer.
    pub answers: Vec<(f64, f64)>,
    /// Answers with another status, and connections that broke.
    pub failed: usize,
    /// The statuses other than 200 that were seen, at most a few.
    pub statuses: Vec<u16>,
    pub seconds: f64,
}

impl Outcome {
    /// Answers in a second.
    pub fn rate(&self) -> f64 {
        self.answers.len() as f64 / self.seconds
    }

    /// The latency in milliseconds that `share` of the answers do not exceed, of those for which `keep` holds.
    pub fn percentile(&self, share: f64, keep: impl Fn(f64) -> bool) -> f64 {
        let mut kept: Vec<f64> =
            self.answers.iter().filter(|(due, _)| keep(*due)).map(|&(_, seconds)| seconds * 1e3).collect();
        if kept.is_empty() {
            return f64::NAN;
        }
        let at = ((kept.len() - 1) as f64 * share) as usize;
        *kept.select_nth_unstable_by(at, f64::total_cmp).1
    }

    /// The 99th percentile of all, milliseconds.
    pub fn p99(&self) -> f64 {
        self.percentile(0.99, |_| true)
    }
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    /// When the request under way was due.
    due: Option<Instant>,
}

/// Sends the requests that `next` writes for `span`, over `connections` connections.
///
/// # Errors
/// When the server cannot be reached or answers with something other than HTTP.
pub fn drive(
    address: SocketAddr,
    connections: usize,
    arrivals: Arrivals,
    span: Duration,
    mut next: impl FnMut(&mut Vec<u8>),
) -> anyhow::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut pool = Vec::with_capacity(connections);
    for token in 0..connections {
        // Connecting takes its time before the run begins.
        let stream = std::net::TcpStream::connect(address).with_context(|| format!("{address} does not answer"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(token), Interest::READABLE)?;
        pool.push(Connection { stream, request: Vec::new(), sent: 0, answer: Vec::new(), due: None });
    }
    let mut outcome = Outcome::default();
    let mut events = Events::with_capacity(connections);
    let mut random = StdRng::seed_from_u64(42);
    // Taken in turn, so that none is quiet for so long that the server closes it.
    let mut free: VecDeque<usize> = (0..connections).collect();
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let begun = Instant::now();
    let over = begun + span;
    let mut due = begun;
    loop {
        let now = Instant::now();
        let last = now >= over;
        match arrivals {
            Arrivals::Closed if !last => waiting.extend(free.iter().map(|_| now)),
            Arrivals::Closed => waiting.clear(),
            Arrivals::Open(rate) => {
                while due <= now && due < over {
                    waiting.push_back(due);
                    due += Duration::from_secs_f64(-random.random_range(f64::MIN_POSITIVE..1.0).ln() / rate);
                }
            }
        }
        while !waiting.is_empty()
            && let Some(at) = free.pop_front()
        {
            let connection = &mut pool[at];
            connection.due = waiting.pop_front();
            connection.request.clear();
            connection.sent = 0;
            next(&mut connection.request);
            send(connection)?;
        }
        if last && waiting.is_empty() && free.len() == connections {
            break;
        }
        if now > over + Duration::from_secs(30) {
            bail!("{} requests were not answered within 30 s", connections - free.len() + waiting.len());
        }
        let wait = matches!(arrivals, Arrivals::Open(_)).then_some(Duration::ZERO).or(Some(Duration::from_millis(100)));
        poll.poll(&mut events, wait)?;
        let idle = events.is_empty();
        for event in &events {
            let at = event.token().0;
            if let Some((status, due)) = receive(&mut pool[at])? {
                free.push_back(at);
                if status == 200 {
                    outcome.answers.push((due.duration_since(begun).as_secs_f64(), due.elapsed().as_secs_f64()));
                } else {
                    outcome.failed += 1;
                    if outcome.statuses.len() < 5 && !outcome.statuses.contains(&status) {
                        outcome.statuses.push(status);
                    }
                }
            }
        }
        // The poll's own wait is in whole milliseconds, too coarse for an open loop.
        if idle && matches!(arrivals, Arrivals::Open(_)) {
            std::thread::sleep(Duration::from_micros(30));
        }
    }
    outcome.seconds = begun.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Writes what the socket takes; a request is small, and its buffer empty before.
fn send(connection: &mut Connection) -> anyhow::Result<()> {
    while connection.sent < connection.request.len() {
        match connection.stream.write(&connection.request[connection.sent..]) {
            Ok(sent) => connection.sent += sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error).context("a request could not be sent"),
        }
    }
    Ok(())
}

/// Reads what has come; the status, and when the request was due, once the answer is whole.
fn receive(connection: &mut Connection) -> anyhow::Result<Option<(u16, Instant)>> {
    let mut buffer = [0_u8; 16 << 10];
    loop {
        match connection.stream.read(&mut buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => connection.answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error).context("an answer could not be read"),
        }
    }
    let Some((status, length)) = whole(&connection.answer)? else { return Ok(None) };
    if connection.answer.len() < length {
        return Ok(None);
    }
    connection.answer.clear();
    Ok(connection.due.take().map(|due| (status, due)))
}

/// The status of an answer and how long it is with its head, once the head is there.
fn whole(answer: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length =
        length.map_or(Ok(0), |header| std::str::from_utf8(header.value)?.parse::<usize>().context("length"))?;
    Ok(Some((response.code.unwrap_or(0), head + length)))
}
