//! Dead letters listed and sent back.

use std::sync::Arc;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::{Bench, LONG, read, until};
use crate::kafka::dead_letters::{DeadLetterReader, DeadLettersError, DeadPage, DeadRecord, Wanted};
use crate::kafka::events::follow;
use crate::kafka::producer::OutRecord;
use crate::kafka::record::Record;
use crate::model::clock::Clock;

impl Bench {
    fn letters(&self) -> DeadLetterReader {
        DeadLetterReader::new(&self.kafka, self.producer(), &self.broker).unwrap()
    }

    async fn make_dead(&self, topic: &str, partitions: i32) {
        self.make(&format!("{topic}.dlq"), partitions).await;
    }

    /// Puts records with these numbers among a topic's dead letters, each in a millisecond of its own.
    async fn bury(&self, topic: &str, numbers: std::ops::Range<i64>) {
        let producer = self.producer();
        for number in numbers {
            producer.dead_letter(&record(topic, number), &format!("bad_json: {number}")).await.unwrap();
            let sent_ms = Clock::System.now_ms();
            until("the clock goes on", || Clock::System.now_ms() > sent_ms).await;
        }
    }

    /// The first `count` records of a topic.
    async fn records(&self, topic: &str, count: usize) -> Vec<Record> {
        let mut kafka = self.kafka.clone();
        topic.clone_into(&mut kafka.events_topic);
        let (_stream, mut batches) = follow(&kafka, &[], &self.broker).unwrap();
        read(&mut batches, count).await
    }
}

impl DeadLetterReader {
    /// The latest of all.
    async fn list(&self, limit: usize) -> Result<Vec<DeadRecord>, DeadLettersError> {
        Ok(self.page(Wanted::default(), limit, None).await?.letters)
    }
}

/// A record whose offset, time, key and value say its number.
fn record(topic: &str, number: i64) -> Record {
    let text = number.to_string().into_bytes();
    Record {
        topic: Arc::from(topic),
        partition: 7,
        offset: number,
        timestamp_ms: Some(1_000 + number),
        key: Some(text.clone()),
        payload: Some(text),
        headers: vec![("a".to_owned(), vec![0xff])],
    }
}

fn shown(topic: &str, number: i64, replayed: bool) -> DeadRecord {
    DeadRecord {
        topic: topic.to_owned(),
        partition: 7,
        offset: number,
        timestamp_ms: Some(1_000 + number),
        reason: format!("bad_json: {number}"),
        value: number.to_string().into_bytes(),
        replayed,
    }
}

fn offsets(records: &[DeadRecord]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}

/// The numbers of records sent back, in the order of a topic's only partition.
fn values(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| i64::from(super::number(record))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_of_all_partitions_and_topics_come_first() {
    let bench = Bench::new(1).await;
    let (events, requests) = (bench.kafka.events_topic.clone(), bench.kafka.requests_topic.clone());
    bench.make_dead(&events, 3).await;
    bench.make_dead(&requests, 1).await;
    bench.bury(&events, 0..12).await;
    bench.bury(&requests, 12..15).await;
    bench.bury(&events, 15..17).await;
    let letters = bench.letters();
    let all = letters.list(100).await.unwrap();
    let topic = |number| if (12..15).contains(&number) { &requests } else { &events };
    let expected: Vec<DeadRecord> = (0..17).rev().map(|number| shown(topic(number), number, false)).collect();
    assert_eq!(all, expected);
    assert_eq!(letters.list(4).await.unwrap(), expected[..4]);
    assert_eq!(letters.list(0).await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_each_letter_that_is_asked_for_once() {
    let bench = Bench::new(1).await;
    let (events, requests) = (bench.kafka.events_topic.clone(), bench.kafka.requests_topic.clone());
    bench.make_dead(&events, 3).await;
    bench.make_dead(&requests, 1).await;
    bench.bury(&events, 0..8).await;
    bench.bury(&requests, 8..12).await;
    bench.bury(&events, 12..17).await;
    let letters = bench.letters();
    let all = async |wanted: Wanted, limit| {
        let (mut found, mut next): (Vec<i64>, Option<String>) = (Vec::new(), None);
        loop {
            let page: DeadPage = letters.page(wanted.clone(), limit, next.as_deref()).await.unwrap();
            assert!(page.letters.len() <= limit);
            found.extend(offsets(&page.letters));
            match page.next {
                Some(place) => next = Some(place),
                None => return found,
            }
        }
    };
    for limit in [1, 3, 5, 100] {
        assert_eq!(all(Wanted::default(), limit).await, (0..17).rev().collect::<Vec<_>>(), "{limit}");
    }
    let of_requests = Wanted { topic: Some(requests.clone()), ..Wanted::default() };
    assert_eq!(all(of_requests, 3).await, [11, 10, 9, 8]);
    let of_reason = Wanted { reason: Some("BAD_JSON: 1".to_owned()), ..Wanted::default() };
    assert_eq!(all(of_reason, 2).await, [16, 15, 14, 13, 12, 11, 10, 1]);
    let of_partition = |partition| Wanted { partition: Some(partition), ..Wanted::default() };
    assert_eq!((all(of_partition(7), 100).await.len(), all(of_partition(6), 2).await.len()), (17, 0));
    assert_eq!(letters.replay(Some(&events), 9).await, Ok(9));
    let waiting = Wanted { waiting: true, ..Wanted::default() };
    assert_eq!(all(waiting, 4).await, [16, 15, 14, 13, 11, 10, 9, 8]);
    let astray = letters.page(Wanted::default(), 1, Some("0.0")).await.unwrap_err().to_string();
    assert_eq!(astray, "there is no page \"0.0\" of dead letters: give `next` as the page before gave it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reads_what_waits_and_sends_nothing() {
    let bench = Bench::new(1).await;
    let topic = bench.kafka.events_topic.clone();
    bench.make_dead(&topic, 1).await;
    bench.bury(&topic, 0..2).await;
    let good = Record { payload: Some(br#"{"user":1,"item":"a"}"#.to_vec()), ..record(&topic, 2) };
    bench.producer().dead_letter(&good, "was not readable once").await.unwrap();
    let letters = bench.letters();
    for _ in 0..2 {
        let checked = letters.check(Some(&topic), usize::MAX).await.unwrap();
        assert_eq!((checked.readable, checked.unreadable, offsets(&checked.named)), (1, 2, vec![0, 1]));
        assert!(!checked.named[0].reason.starts_with("bad_json: 0"), "{}", checked.named[0].reason);
    }
    assert_eq!(letters.check(None, 2).await.unwrap().readable, 0, "the oldest two");
    assert!(letters.list(9).await.unwrap().iter().all(|letter| !letter.replayed));
    assert_eq!(letters.replay(None, usize::MAX).await, Ok(3));
    assert_eq!(letters.check(None, usize::MAX).await.unwrap(), super::super::dead_letters::Checked::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_sent_back_byte_for_byte_and_once() {
    let bench = Bench::new(1).await;
    let topic = bench.kafka.events_topic.clone();
    bench.make_dead(&topic, 1).await;
    bench.make_dead(&bench.kafka.requests_topic, 1).await;
    let own = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let mut originals = [record(&topic, 0), record(&topic, 1), record(&topic, 2)];
    originals[0].payload = Some(vec![0xff; 300_000]);
    originals[0].headers = vec![own("a", b"1"), own("dlq.reason", b"its own"), own("a", &[0xff, 0])];
    (originals[1].key, originals[1].payload, originals[1].headers) = (None, Some(Vec::new()), Vec::new());
    (originals[2].key, originals[2].payload) = (Some(Vec::new()), None);
    for original in &originals {
        bench.producer().dead_letter(original, "no JSON").await.unwrap();
    }
    let letters = bench.letters();
    assert_eq!(letters.replay(None, usize::MAX).await, Ok(3));
    for (back, original) in bench.records(&topic, 3).await.iter().zip(&originals) {
        let mut headers = original.headers.clone();
        headers.push(own("dlq.replay-of", format!("{topic}/7/{}", original.offset).as_bytes()));
        assert_eq!((&back.key, &back.payload, &back.headers), (&original.key, &original.payload, &headers));
    }
    assert!(letters.list(9).await.unwrap().iter().all(|letter| letter.replayed));
    assert_eq!(letters.replay(None, usize::MAX).await, Ok(0));
    bench.bury(&topic, 3..5).await;
    let flags: Vec<bool> = letters.list(9).await.unwrap().iter().map(|letter| letter.replayed).collect();
    assert_eq!(flags, [false, false, true, true, true]);
    assert_eq!(bench.letters().replay(Some(&topic), 9).await, Ok(2), "another reader goes on where this one was");
    assert_eq!(values(&bench.records(&topic, 5).await[3..]), [3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_of_all_partitions_go_first_and_at_most_so_many() {
    let bench = Bench::new(1).await;
    let (events, requests) = (bench.kafka.events_topic.clone(), bench.kafka.requests_topic.clone());
    bench.make_dead(&events, 3).await;
    bench.make_dead(&requests, 1).await;
    bench.bury(&requests, 0..2).await;
    bench.bury(&events, 2..12).await;
    let letters = bench.letters();
    assert_eq!(letters.replay(None, 0).await, Ok(0));
    assert_eq!(letters.replay(Some(&events), 3).await, Ok(3));
    assert_eq!(letters.replay(None, 4).await, Ok(4));
    assert_eq!(letters.replay(None, 100).await, Ok(5));
    assert_eq!(values(&bench.records(&events, 10).await), (2..12).collect::<Vec<_>>());
    assert_eq!(values(&bench.records(&requests, 2).await), [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_at_the_same_time_send_a_long_row_once_in_order() {
    let bench = Bench::new(1).await;
    let topic = bench.kafka.events_topic.clone();
    bench.make_dead(&topic, 2).await;
    let producer = bench.producer();
    let records: Vec<Record> = (0..700).map(|number| record(&topic, number)).collect();
    for sent in futures_util::future::join_all(records.iter().map(|dead| producer.dead_letter(dead, "why"))).await {
        sent.unwrap();
    }
    let letters = bench.letters();
    let (one, other) = tokio::join!(letters.replay(None, 450), letters.replay(None, usize::MAX));
    assert_eq!((one, other), (Ok(450), Ok(250)));
    let mut back = values(&bench.records(&topic, 700).await);
    back.sort_unstable();
    assert_eq!(back, (0..700).collect::<Vec<_>>());
    bench.send(&topic, 700..701).await;
    assert_eq!(bench.records(&topic, 701).await.last().map(super::number), Some(700), "nothing was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_dead_letter_of_the_topic_is_passed_over() {
    let bench = Bench::new(1).await;
    let (events, requests) = (bench.kafka.events_topic.clone(), bench.kafka.requests_topic.clone());
    bench.make_dead(&events, 1).await;
    bench.bury(&events, 0..1).await;
    let dead: Arc<str> = Arc::from(format!("{events}.dlq"));
    let plain = OutRecord { topic: Arc::clone(&dead), payload: Some(b"plain".to_vec()), ..OutRecord::default() };
    bench.producer().send(plain).await.unwrap();
    let said = ["topic", "partition", "offset", "timestamp", "reason"].map(|name| format!("dlq.{name}"));
    let headers = said.into_iter().zip(["payments", "0", "5", "-1", "foreign"]);
    let headers = headers.map(|(name, value)| (name, value.as_bytes().to_vec())).collect();
    bench.producer().send(OutRecord { topic: dead, headers, ..OutRecord::default() }).await.unwrap();
    bench.bury(&events, 9..10).await;
    let letters = bench.letters();
    assert_eq!(letters.replay(None, 2).await, Ok(2), "what is passed over does not count");
    assert_eq!(values(&bench.records(&events, 2).await), [0, 9]);
    let listed = letters.list(9).await.unwrap();
    let mut reasons: Vec<(&str, bool)> = listed.iter().map(|letter| (&*letter.reason, letter.replayed)).collect();
    reasons.sort_unstable();
    let unsaid = "no dead letter: it lacks the dlq headers and is never sent back";
    assert_eq!(reasons, [("bad_json: 0", true), ("bad_json: 9", true), ("foreign", false), (unsaid, false)]);
    let refused = letters.replay(Some("payments"), 9).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        format!("no dead letters are kept of the topic \"payments\": name one of {events}, {requests}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_past_the_end_is_that_of_a_topic_that_is_gone() {
    let bench = Bench::new(1).await;
    let topic = bench.kafka.events_topic.clone();
    bench.make_dead(&topic, 1).await;
    bench.bury(&topic, 0..3).await;
    // A list waits until the broker has a coordinator for the group.
    assert_eq!(offsets(&bench.letters().list(9).await.unwrap()), [2, 1, 0]);
    let group = format!("{}-dead-letters", bench.kafka.requests_group);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&format!("{topic}.dlq"), 0, Offset::Offset(40)).unwrap();
    let brokers = bench.kafka.brokers.clone();
    let committed = tokio::task::spawn_blocking(move || {
        let mut config = rdkafka::ClientConfig::new();
        let consumer: BaseConsumer = config.set("bootstrap.servers", brokers).set("group.id", group).create().unwrap();
        consumer.commit(&list, CommitMode::Sync)
    });
    committed.await.unwrap().unwrap();
    let letters = bench.letters();
    assert!(letters.list(9).await.unwrap().iter().all(|letter| !letter.replayed));
    assert_eq!(letters.replay(None, 2).await, Ok(2));
    let flags: Vec<bool> = letters.list(9).await.unwrap().iter().map(|letter| letter.replayed).collect();
    assert_eq!(flags, [false, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_empty_and_is_not_made() {
    let bench = Bench::embedded();
    let (events, requests) = (bench.kafka.events_topic.clone(), bench.kafka.requests_topic.clone());
    let letters = bench.letters();
    assert_eq!(letters.list(9).await, Ok(Vec::new()));
    assert_eq!(letters.replay(None, 9).await, Ok(0));
    bench.make(&requests, 1).await;
    bench.make_dead(&requests, 1).await;
    bench.bury(&requests, 0..2).await;
    assert_eq!(offsets(&letters.list(9).await.unwrap()), [1, 0]);
    assert_eq!(letters.replay(Some(&events), 9).await, Ok(0));
    assert_eq!(letters.replay(None, 9).await, Ok(2));
    bench.make_dead(&events, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_is_away_in_time_and_later_there_again() {
    let bench = Bench::embedded();
    let topic = bench.kafka.events_topic.clone();
    bench.make(&topic, 1).await;
    bench.make_dead(&topic, 1).await;
    bench.bury(&topic, 0..2).await;
    let letters = bench.letters();
    bench.fake().set_down(true).unwrap();
    let (listed, replayed) =
        tokio::time::timeout(LONG, async { tokio::join!(letters.list(9), letters.replay(None, 9)) })
            .await
            .expect("answers in time");
    assert!(matches!(listed, Err(DeadLettersError::Away(_))), "{listed:?}");
    assert!(matches!(replayed, Err(DeadLettersError::Away(_))), "{replayed:?}");
    bench.fake().set_down(false).unwrap();
    assert_eq!(letters.list(9).await.unwrap(), [shown(&topic, 1, false), shown(&topic, 0, false)]);
    assert_eq!(letters.replay(None, 9).await, Ok(2));
}
