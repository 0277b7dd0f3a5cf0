//! The actors from outside: async methods with deadlines and typed errors, the same over any number of restarts.

use std::sync::Arc;

use super::errors::{IngestError, RegistryError, RunError};
use super::messages::{
    ActorStatus, Applied, Erased, EventBatch, ItemChange, RunList, RunStarted, ScheduleState, VersionList,
};
use crate::model::ids::{UserId, Version};
use crate::model::manifest::Manifest;
use crate::model::run::{RunRecord, Trigger};

/// The ingestor.
#[derive(Clone)]
pub struct IngestHandle {}

impl IngestHandle {
    /// Takes events in; returns once they are durable and applied.
    pub async fn submit(&self, _batch: EventBatch) -> Result<Applied, IngestError> {
        todo!()
    }
    /// Changes item data; returns once it is durable and applied.
    pub async fn change_items(&self, _changes: Vec<ItemChange>) -> Result<(), IngestError> {
        todo!()
    }
    /// Erases a user; returns once it is durable and applied.
    pub async fn erase(&self, _user: UserId) -> Result<Erased, IngestError> {
        todo!()
    }
}

/// The trainer.
#[derive(Clone)]
pub struct TrainerHandle {}

impl TrainerHandle {
    pub async fn start(&self, _trigger: Trigger) -> Result<RunStarted, RunError> {
        todo!()
    }
    pub async fn cancel(&self, _id: String) -> Result<RunStarted, RunError> {
        todo!()
    }
    pub async fn runs(&self, _limit: usize) -> Result<RunList, RunError> {
        todo!()
    }
    pub async fn run(&self, _id: String) -> Result<RunRecord, RunError> {
        todo!()
    }
    pub async fn schedule(&self) -> Result<ScheduleState, RunError> {
        todo!()
    }
    pub async fn set_schedule(&self, _schedule: ScheduleState) -> Result<ScheduleState, RunError> {
        todo!()
    }
    /// Every change of any run's record, from now on; a slow reader misses some.
    pub fn watch(&self) -> tokio::sync::broadcast::Receiver<Arc<RunRecord>> {
        todo!()
    }
}

/// The registry.
#[derive(Clone)]
pub struct RegistryHandle {}

impl RegistryHandle {
    pub async fn list(&self) -> Result<VersionList, RegistryError> {
        todo!()
    }
    pub async fn show(&self, _version: Version) -> Result<Arc<Manifest>, RegistryError> {
        todo!()
    }
    /// Makes a version live; returns once it answers.
    pub async fn promote(&self, _version: Version) -> Result<Arc<Manifest>, RegistryError> {
        todo!()
    }
    /// Makes the previous version live; returns once it answers.
    pub async fn rollback(&self) -> Result<Arc<Manifest>, RegistryError> {
        todo!()
    }
}

/// The overseer.
#[derive(Clone)]
pub struct OverseerHandle {}

impl OverseerHandle {
    /// Every actor, in a fixed order; reads memory, waits on nobody.
    pub fn actors(&self) -> Vec<ActorStatus> {
        todo!()
    }
}
