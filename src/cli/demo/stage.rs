//! The course of the demo: past purchases in, then live, until it is ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::live::{Streams, Tally};
use super::shop::Shop;
use super::{DemoArgs, told};
use crate::actors::messages::{EventBatch, ItemChange};
use crate::actors::meters::Source;
use crate::actors::serving::Activated;
use crate::app::{self, Running};
use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::cli::serve::stop_signal;
use crate::kafka::broker::BrokerState;
use crate::kafka::producer::Producer;
use crate::kafka::record::RecordBatch;
use crate::kafka::replies;
use crate::model::clock::Clock;
use crate::model::item::ItemData;
use crate::model::run::Trigger;
use crate::settings::StartAt;
use crate::settings::{Kafka, Settings};

/// Past purchases handed to the ingestor at once.
const BATCH: usize = 5000;
/// How long a stop waits for the replies to what was asked last, and for Kafka's clients.
const LAST: Duration = Duration::from_secs(3);

/// Starts the service, plays the shop against it until a signal or the time given, and stops in order.
pub(super) async fn play(args: &DemoArgs, settings: Settings, context: &mut Context<'_>) -> anyhow::Result<()> {
    let kafka = settings.kafka.clone();
    let running = app::start(settings, Clock::System).await?;
    let tally = Arc::new(Tally::default());
    let ended = perform(args, &kafka, &running, &tally, context).await;
    if matches!(ended, Err(ref error) if matches!(error.downcast_ref(), Some(Failure::Ended(_)))) {
        // As in `ouzel serve`: what could not be kept alive is not waited for either.
        return ended;
    }
    running.stop().await;
    ended?;
    let (events, answered, failed) = (tally.events(), tally.answered(), tally.failed());
    writeln!(context.out, "ended: {events} events produced, {answered} replies, {failed} requests failed")?;
    Ok(())
}

async fn perform(
    args: &DemoArgs,
    kafka: &Kafka,
    running: &Running,
    tally: &Arc<Tally>,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let deadline = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut house = House { running, tally, answered: 0, failed: 0 };
    let (mut runs, mut swaps) = (running.trainer.watch(), running.activated.subscribe());
    let mut fatal = running.fatal.clone();
    context.out.write_all(told::beginning(&running.url(), kafka).as_bytes())?;
    context.out.flush()?;

    let mut shop = Shop::new(args.seed)?;
    tokio::select! {
        opened = open(args, &mut shop, running, context) => opened?,
        signal = stop_signal() => return Ok(signal.map(drop)?),
        why = fatal.wait_for(Option::is_some) => return Err(gone(why.ok().and_then(|why| why.clone()))),
    }

    let broker = BrokerState::new(Clock::System);
    let producer = Producer::new(kafka, &broker)?;
    let (stream, mut replies) = replies::follow(kafka, StartAt::Earliest, &broker)?;
    let streams = Streams::start(shop, args.rate.0, kafka, &producer, tally);
    let stop = stop_signal();
    tokio::pin!(stop);
    let ended = loop {
        tokio::select! {
            signal = &mut stop => break signal.map(drop).map_err(anyhow::Error::from),
            () = until(deadline) => break Ok(()),
            why = fatal.wait_for(Option::is_some) => break Err(gone(why.ok().and_then(|why| why.clone()))),
            batch = replies.recv() => match batch {
                Some(batch) => count(tally, &batch),
                None => break Err(Failure::Ended("the stream of replies ended".to_owned()).into()),
            },
            run = runs.recv() => match run {
                Ok(run) if run.status.is_over() => tell(context, &told::run(&run))?,
                // What a slow terminal missed is in /v1/runs.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break Err(gone(None)),
            },
            swap = swaps.recv() => match swap {
                Ok(swap) => house.tell_swap(&swap, context).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break Err(gone(None)),
            },
        }
    };
    streams.stop().await;
    last_replies(tally, &mut replies).await;
    stream.stop();
    if !producer.flush(LAST).await || !stream.ended(LAST).await {
        tracing::warn!("a Kafka client of the shop did not end in time and is left");
    }
    ended
}

/// Past purchases and item data into an empty log, then the first run, unless a version is live already.
async fn open(args: &DemoArgs, shop: &mut Shop, running: &Running, context: &mut Context<'_>) -> anyhow::Result<()> {
    // Answered once the log is in memory.
    let kept = running.ingest.snapshot().await?.data.events;
    if kept == 0 {
        let data = |category: &str| ItemData { categories: vec![category.to_owned()], ..ItemData::default() };
        let products = shop.products().iter();
        let items = products.map(|product| ItemChange { item: product.id.clone(), data: Some(data(product.category)) });
        running.ingest.change_items(items.collect()).await?;
        let past = shop.past_purchases(args.purchases as usize, Clock::System.now_ms());
        let mut accepted = 0;
        for events in past.chunks(BATCH) {
            let batch = EventBatch { events: events.to_vec(), ..EventBatch::default() };
            accepted += running.ingest.submit_patiently(batch, Source::Import).await?.accepted;
        }
        tell(context, &format!("{accepted} past purchases are in, live events and requests begin"))?;
    } else {
        tell(context, &format!("{kept} events are there from before, live events and requests go on"))?;
    }
    if running.registry.list().await?.live.is_none() {
        running.trainer.start(Trigger::Start).await?;
    }
    Ok(())
}

/// What swaps are told with.
struct House<'a> {
    running: &'a Running,
    tally: &'a Tally,
    answered: u64,
    failed: u64,
}

impl House<'_> {
    async fn tell_swap(&mut self, swap: &Activated, context: &mut Context<'_>) -> anyhow::Result<()> {
        let (answered, failed) = (self.tally.answered(), self.tally.failed());
        let meanwhile = (answered - self.answered, failed - self.failed);
        (self.answered, self.failed) = (answered, failed);
        let manifest = self.running.registry.show(swap.version).await?;
        tell(context, &told::swap(&manifest, meanwhile.0, meanwhile.1))
    }
}

fn tell(context: &mut Context<'_>, line: &str) -> anyhow::Result<()> {
    writeln!(context.out, "{line}")?;
    Ok(context.out.flush()?)
}

fn count(tally: &Tally, batch: &RecordBatch) {
    batch.records.iter().for_each(|record| tally.reply(record));
}

/// Counts the replies that are still on their way, for a bounded time.
async fn last_replies(tally: &Tally, replies: &mut mpsc::Receiver<RecordBatch>) {
    let until = Instant::now() + LAST;
    while tally.waiting() > 0 {
        match timeout_at(until, replies.recv()).await {
            Ok(Some(batch)) => count(tally, &batch),
            Ok(None) | Err(_) => return,
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn gone(why: Option<String>) -> anyhow::Error {
    Failure::Ended(why.unwrap_or_else(|| "the overseer is gone".to_owned())).into()
}
