//! What happens to versions, told to Kafka: live ones on the topic of models, all of it on that of versions where one is
//! set. Nobody waits for either; each topic has a queue of its own, so that a missing one holds up no other.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Parts;
use crate::actors::meters::Meters;
use crate::actors::releases::Announce;
use crate::kafka::codec::descriptor::announcement;
use crate::kafka::codec::version_news;
use crate::kafka::outlet::{Outlet, Sent};
use crate::kafka::producer::Producer;
use crate::model::version_news::{By, VersionNews};
use crate::settings::Kafka;
use crate::store::log::EventLog;

/// The ways to the two topics.
pub struct Criers {
    models: Outlet,
    versions: Option<Outlet>,
}

impl Criers {
    /// Starts their tasks on the runtime of the caller.
    pub fn start(kafka: &Kafka, producer: &Producer, meters: &Arc<Meters>) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let outlet = || {
            let meters = meters.clone();
            Outlet::start(producer.clone(), &runtime, Arc::new(move |sent: Sent| meters.told.add(sent.name(), 1)))
        };
        Self { models: outlet(), versions: (!kafka.versions_topic.is_empty()).then(outlet) }
    }

    /// What tells both topics. `base_url` is what announcements on the topic of models name.
    pub fn announce(&self, kafka: &Kafka, base_url: String, parts: &Parts) -> Announce {
        let (models, versions) = (self.models.clone(), self.versions.clone());
        let (models_topic, versions_topic) = (kafka.models_topic.clone(), kafka.versions_topic.clone());
        let (clock, log) = (parts.clock.clone(), parts.log.clone());
        Arc::new(move |news: VersionNews| {
            if let Some(version) = news.version {
                let description = format!("{} fitted on {} events", news.kind, news.events);
                models.give(announcement(&models_topic, &base_url, version.0, &description));
            }
            if let Some(versions) = &versions {
                match version_news::record(&versions_topic, &whole(news, &log), clock.now_ms()) {
                    Ok(record) => versions.give(record),
                    Err(error) => tracing::error!(%error, "what happened to a version cannot be told"),
                }
            }
        })
    }

    /// Waits at most `within` for what is still to be told.
    pub async fn settle(&self, within: Duration) {
        for outlet in [Some(&self.models), self.versions.as_ref()].into_iter().flatten() {
            let left = outlet.settled(within).await;
            if left > 0 {
                tracing::error!(left, "the stop loses records that tell of versions: no broker took them");
            }
        }
    }
}

/// Adds why a run began to news that only names it.
fn whole(mut news: VersionNews, log: &EventLog) -> VersionNews {
    let run = news.by.run.as_ref().filter(|_| news.by.trigger.is_none());
    match run.map(|run| log.run(run)) {
        Some(Ok(Some(run))) => news.by = By::run(&run),
        Some(Err(error)) => tracing::warn!(%error, "a version is told of without why its run began"),
        Some(Ok(None)) | None => {}
    }
    news
}
