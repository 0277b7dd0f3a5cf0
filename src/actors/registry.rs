//! Writes versions, checks them once more as they will be loaded, and moves the alias.
//!
//! Owns: the version store and its aliases; the live and the previous model, loaded, so that a rollback is instant.
//! In: `Register`, `Promote`, `Rollback`, `ForgetNext`. Out: `Activate` to serving, what happens to versions to Kafka.
//! On crash: rebuilt from the store; a version with a wrong checksum is set aside, the one before stays live.
//! In a process that follows another: reads only, and takes what the other made live.
//! On overload: calls beyond a bound are refused with `Busy`.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use tokio::sync::Mutex;

use super::errors::RegistryError;
use super::messages::{Registration, VersionList};
use super::meters::Meters;
use super::releases::{Announce, Releases};
use super::serving::Serving;
use super::slot::Slot;
use super::supervision::{ExitGuard, answers_pings};
use crate::model::catalogue::Catalogue;
use crate::model::erasure::Erasures;
use crate::model::ids::Version;
use crate::model::manifest::Manifest;
use crate::model::serving::live::LiveModel;
use crate::model::version_news::By;
use crate::store::versions::VersionStore;

/// How long a caller waits for a version to be written, loaded and live.
const DEADLINE: Duration = Duration::from_secs(120);

/// Pause before the alias is read again at the start, where the store is away.
const AGAIN: Duration = Duration::from_secs(2);

/// Called after each look at the alias: with true, once, when its version answers or none can; with false where it cannot be
/// read yet.
pub type Looked = Arc<dyn Fn(bool) + Send + Sync>;

/// What the registry works on; shared with its next life.
#[derive(Clone)]
pub struct RegistryParts {
    /// Where versions are kept.
    pub store: Arc<VersionStore>,
    /// What loaded models are bound to.
    pub catalogue: Arc<Catalogue>,
    /// The serving actor.
    pub serving: Slot<Serving>,
    /// Whether another process writes and this one follows its alias.
    pub follows: bool,
    /// Tells others of what happens to versions.
    pub announce: Announce,
    /// Told of each look at the alias.
    pub looked: Looked,
    /// Who was erased.
    pub erasures: Arc<Erasures>,
    /// Where loads are timed.
    pub meters: Arc<Meters>,
}

/// The registry.
pub struct Registry {
    releases: Arc<Mutex<Releases>>,
    follows: bool,
    looked: Looked,
    _guard: ExitGuard,
}

/// Writes a fitted model as the next version and makes it live.
#[derive(Message)]
#[rtype(result = "Result<Arc<Manifest>, RegistryError>")]
pub struct Register(pub Box<Registration>);

/// Makes a version live.
#[derive(Message)]
#[rtype(result = "Result<Arc<Manifest>, RegistryError>")]
pub struct Promote(pub Version, pub By);

/// Makes the previous version live.
#[derive(Message)]
#[rtype(result = "Result<Arc<Manifest>, RegistryError>")]
pub struct Rollback(pub By);

/// Asks for all versions.
#[derive(Message)]
#[rtype(result = "Result<VersionList, RegistryError>")]
pub struct ListVersions;

/// Asks for one version's manifest.
#[derive(Message)]
#[rtype(result = "Result<Arc<Manifest>, RegistryError>")]
pub struct ShowVersion(pub Version);

/// Asks to take what the alias names, where another process changed it.
#[derive(Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub struct Look;

/// Asks for a version, loaded, without making it live.
#[derive(Message)]
#[rtype(result = "Result<Arc<LiveModel>, RegistryError>")]
pub struct LoadVersion(pub Version);

/// Takes erased users out of the files of the first version behind this one; answers which that was.
#[derive(Message)]
#[rtype(result = "Result<Option<Version>, RegistryError>")]
pub struct ForgetNext(pub Version);

answers_pings!(Registry);

impl Registry {
    /// A registry on `parts`.
    #[must_use]
    pub fn new(parts: RegistryParts, guard: ExitGuard) -> Self {
        let (looked, follows) = (parts.looked.clone(), parts.follows);
        let releases = Releases::new(parts);
        Self { releases: Arc::new(Mutex::new(releases)), follows, looked, _guard: guard }
    }
}

impl Actor for Registry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (releases, follows, looked) = (self.releases.clone(), self.follows, self.looked.clone());
        let resume = async move {
            loop {
                let resumed = releases.lock().await.resume().await;
                match resumed {
                    // Without the alias nobody knows whether there is a version: nothing may be taken for granted.
                    Err(error) if follows || matches!(error, RegistryError::Store(_)) => {
                        tracing::warn!(%error, "the live version cannot be read yet");
                        looked(false);
                        tokio::time::sleep(AGAIN).await;
                    }
                    other => return other,
                }
            }
        };
        // Interleaves with heartbeats; calls wait for the lock.
        ctx.spawn(resume.into_actor(self).map(|result, registry, _| {
            if let Err(error) = result {
                tracing::error!(%error, "no version could be made live at the start");
            }
            (registry.looked)(true);
        }));
    }
}

/// Answers a message by a method of [`Releases`], one call after the other, panics ending the actor.
macro_rules! by_releases {
    ($($message:ty => |$releases:ident, $content:ident| $call:expr;)+) => {$(
        impl Handler<$message> for Registry {
            type Result = ResponseActFuture<Self, <$message as Message>::Result>;

            fn handle(&mut self, $content: $message, _: &mut Self::Context) -> Self::Result {
                fail::fail_point!("registry.handle");
                let releases = self.releases.clone();
                let call = async move {
                    let mut $releases = releases.lock().await;
                    $call.await
                };
                Box::pin(call.into_actor(self))
            }
        }
    )+};
}

by_releases! {
    Register => |releases, message| releases.register(*message.0);
    Promote => |releases, message| releases.promote(message.0, message.1);
    Rollback => |releases, message| releases.rollback(message.0);
    ListVersions => |releases, _message| releases.list();
    ShowVersion => |releases, message| releases.show(message.0);
    Look => |releases, _message| releases.look();
    LoadVersion => |releases, message| releases.loaded(message.0);
    ForgetNext => |releases, message| releases.forget_next(message.0);
}

/// The registry from outside.
#[derive(Clone)]
pub struct RegistryHandle {
    slot: Slot<Registry>,
}

impl RegistryHandle {
    /// A handle to the registry in `slot`.
    #[must_use]
    pub const fn new(slot: Slot<Registry>) -> Self {
        Self { slot }
    }

    async fn ask<M, T>(&self, message: M) -> Result<T, RegistryError>
    where
        M: Message<Result = Result<T, RegistryError>> + Send + 'static,
        T: Send + 'static,
        Registry: Handler<M>,
    {
        self.slot.call(message, DEADLINE).await?
    }

    /// Every version with the aliases.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn list(&self) -> Result<VersionList, RegistryError> {
        self.ask(ListVersions).await
    }

    /// One version's manifest.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] and others.
    pub async fn show(&self, version: Version) -> Result<Arc<Manifest>, RegistryError> {
        self.ask(ShowVersion(version)).await
    }

    /// A version, loaded, without making it live; the last one asked for is kept at hand.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] and others.
    pub async fn load(&self, version: Version) -> Result<Arc<LiveModel>, RegistryError> {
        self.ask(LoadVersion(version)).await
    }

    /// Takes what the alias names, where another process changed it; returns once it answers.
    ///
    /// # Errors
    /// [`RegistryError`]; the live version is then as it was.
    pub async fn look(&self) -> Result<(), RegistryError> {
        self.ask(Look).await
    }

    /// Makes a version live, as `by` called for; returns once it answers.
    ///
    /// # Errors
    /// [`RegistryError`]; the live version is then as it was.
    pub async fn promote(&self, version: Version, by: By) -> Result<Arc<Manifest>, RegistryError> {
        self.ask(Promote(version, by)).await
    }

    /// Makes the previous version live, as `by` called for; returns once it answers.
    ///
    /// # Errors
    /// [`RegistryError::NoPrevious`] and others.
    pub async fn rollback(&self, by: By) -> Result<Arc<Manifest>, RegistryError> {
        self.ask(Rollback(by)).await
    }

    /// Takes erased users out of the files of the first version behind `after` and, where it is loaded, out of memory;
    /// answers which version that was, none behind the last.
    ///
    /// # Errors
    /// [`RegistryError`]; the version is then as it was, or without them.
    pub async fn forget_next(&self, after: Version) -> Result<Option<Version>, RegistryError> {
        self.ask(ForgetNext(after)).await
    }

    /// Writes a fitted model as the next version and makes it live; returns once it answers.
    ///
    /// # Errors
    /// [`RegistryError`]; the live version is then as it was.
    pub async fn register(&self, registration: Registration) -> Result<Arc<Manifest>, RegistryError> {
        self.ask(Register(Box::new(registration))).await
    }
}
