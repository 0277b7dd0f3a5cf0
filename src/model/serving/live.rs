//! The model that answers, bound to this process's catalogue.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer::AnsweredBy;
use crate::model::catalogue::Catalogue;
use crate::model::dataset::string_order;
use crate::model::ids::{ItemIndex, UserId, Version};
use crate::model::manifest::Manifest;
use crate::model::recommender::Fitted;

/// One version, loaded; immutable.
pub struct LiveModel {
    /// The version's manifest.
    pub manifest: Arc<Manifest>,
    /// The model and its ids.
    pub fitted: Fitted,
    /// The catalogue's index of each of the model's items.
    pub catalogue_of: Vec<ItemIndex>,
    /// The model's index of each of the catalogue's items, [`u32::MAX`] for one it does not know; items that came later
    /// lie beyond its end.
    pub model_of: Vec<u32>,
    /// Rows of the model's user table.
    pub user_rows: HashMap<UserId, u32>,
    /// Each of the model's items' place in the string order of ids: how equal scores are ordered, as in evaluation.
    pub id_order: Vec<u32>,
}

impl LiveModel {
    /// Binds a loaded model to the catalogue. Items of the model that the catalogue has not seen enter it.
    #[must_use]
    pub fn bind(manifest: Arc<Manifest>, fitted: Fitted, catalogue: &Catalogue) -> Self {
        let catalogue_of: Vec<ItemIndex> = fitted.item_ids.iter().map(|id| catalogue.index(id)).collect();
        let mut model_of = vec![u32::MAX; catalogue.len()];
        for (item, index) in (0_u32..).zip(&catalogue_of) {
            if let Some(place) = model_of.get_mut(index.at()) {
                *place = item;
            }
        }
        let user_rows = fitted.user_ids.iter().cloned().zip(0..).collect();
        let id_order = string_order(&fitted.item_ids);
        Self { manifest, fitted, catalogue_of, model_of, user_rows, id_order }
    }

    /// The version's number.
    #[must_use]
    pub fn version(&self) -> Version {
        self.manifest.version
    }

    /// About how many bytes it takes: its tensors as they were written, and the tables that bind them to ids.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let tensors: u64 = self
            .manifest
            .files
            .iter()
            .filter(|(name, _)| name.ends_with(".safetensors"))
            .map(|(_, file)| file.bytes)
            .sum();
        let tables = (self.catalogue_of.len() + self.model_of.len() + self.id_order.len()) * size_of::<u32>();
        let users = self.user_rows.capacity() * size_of::<(UserId, u32)>();
        tensors + (tables + users) as u64
    }

    /// The model's index of a catalogue item; none for an item that the model does not know or that came after it.
    #[must_use]
    pub fn model_item(&self, item: ItemIndex) -> Option<u32> {
        self.model_of.get(item.at()).copied().filter(|&known| known != u32::MAX)
    }

    /// What an answer says of the model.
    #[must_use]
    pub fn answered_by(&self) -> AnsweredBy {
        AnsweredBy {
            version: self.version(),
            kind: self.fitted.recommender.kind().to_owned(),
            events_to_ms: self.manifest.data.events_to_ms,
            created_ms: self.manifest.created_ms,
        }
    }

    /// A model item's place among items of equal score.
    pub(super) fn order_of(&self, item: u32) -> u32 {
        self.id_order.get(item as usize).copied().unwrap_or(item)
    }

    /// The catalogue's index of a model item.
    pub(super) fn catalogue_item(&self, item: u32) -> Option<ItemIndex> {
        self.catalogue_of.get(item as usize).copied()
    }
}
