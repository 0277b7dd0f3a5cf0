//! A test of versions on users: who belongs to which variant, and which model answers it.
//!
//! A user is dealt by a hash of their id and the test's name, so that the variant is the same on every process, after every
//! restart and whatever goes live meanwhile, and another test deals anew. Who is held out is drawn without the test's name:
//! they are the same users in every test.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::live::LiveModel;
use crate::model::ids::{UserId, Version};

/// The name of the variant of those who are held out.
pub const HOLDOUT: &str = "holdout";

/// The parts that a share is counted in: hundredths of a percent.
const PARTS: u64 = 10_000;

/// The longest name of a variant, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// Which model answers a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The live version, whichever that is.
    Live,
    /// The version before it, whichever that is.
    Previous,
    /// This version, whatever goes live.
    Version(Version),
    /// None: what is trending, popular or new.
    None,
}

/// A variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its name, as lists and figures carry it.
    pub name: Arc<str>,
    /// Its share of the users, in hundredths of a percent.
    pub share: u64,
    /// Which model answers it.
    pub answers: Answers,
}

/// A test that the settings name, with the models of its variants.
#[derive(Default)]
pub struct Experiment {
    name: String,
    variants: Vec<Variant>,
    holdout: Option<Variant>,
    /// The models of the variants, in their order; none where the live one answers or where it could not be loaded.
    models: ArcSwap<Vec<Option<Arc<LiveModel>>>>,
}

/// A variant as `/state` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct VariantView {
    /// Its name.
    pub name: String,
    /// Its share of the users, in percent.
    pub percent: f64,
    /// What answers it by the settings: `live`, `previous`, `none` or a version's number.
    pub answers: String,
    /// The version that answers it now; null where none does.
    pub version: Option<u64>,
}

/// A test as `/state` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ExperimentView {
    /// Its name.
    pub name: String,
    /// The variants, those held out among them. Users in none of them get the live version.
    pub variants: Vec<VariantView>,
}

impl Variant {
    /// Reads `name:percent:answers`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let form = || format!("must be name:percent:answers, such as new:10:live, not {text:?}");
        let mut parts = text.split(':').map(str::trim);
        let (Some(name), Some(percent), Some(answers), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(letter) || name == HOLDOUT {
            return Err(format!(
                "a variant's name has 1 to {MAX_NAME_BYTES} of the letters a-z, 0-9 and _ and is not {HOLDOUT}, unlike {name:?}"
            ));
        }
        let share = percent.parse().ok().and_then(share_of).ok_or_else(form)?;
        let answers = match answers {
            "live" => Answers::Live,
            "previous" => Answers::Previous,
            "none" => Answers::None,
            number => {
                let version = number.parse().ok().filter(|&version| version > 0).map(Version);
                let wrong =
                    || format!("a variant is answered by live, previous, none or a version's number, not {number:?}");
                Answers::Version(version.ok_or_else(wrong)?)
            }
        };
        Ok(Self { name: Arc::from(name), share, answers })
    }
}

/// A percentage in hundredths of a percent; none where it is no number from 0 to 100.
#[must_use]
pub fn share_of(percent: f64) -> Option<u64> {
    (0.0..=100.0).contains(&percent).then(|| (percent * 100.0).round() as u64)
}

impl Experiment {
    /// A test of `variants` under `name` (empty: no test), with `holdout` hundredths of a percent of all users held out.
    #[must_use]
    pub fn new(name: String, variants: Vec<Variant>, holdout: u64) -> Self {
        let variants = if name.is_empty() { Vec::new() } else { variants };
        let held_out = || Variant { name: Arc::from(HOLDOUT), share: holdout, answers: Answers::None };
        Self { name, variants, holdout: (holdout > 0).then(held_out), models: ArcSwap::default() }
    }

    /// The variant of a user, with its place among the variants where it is not that of the held out; none for who is in no
    /// variant.
    pub(super) fn dealt(&self, user: &UserId) -> Option<(Option<usize>, &Variant)> {
        if let Some(holdout) = &self.holdout
            && drawn("", user) < holdout.share
        {
            return Some((None, holdout));
        }
        if self.variants.is_empty() {
            return None;
        }
        let drawn = drawn(&self.name, user);
        let mut below = 0;
        let place = self.variants.iter().position(|variant| {
            below += variant.share;
            drawn < below
        })?;
        self.variants.get(place).map(|variant| (Some(place), variant))
    }

    /// The model of a variant, `live` being that which answers else.
    pub(super) fn model(
        &self,
        place: Option<usize>,
        variant: &Variant,
        live: Option<Arc<LiveModel>>,
    ) -> Option<Arc<LiveModel>> {
        match variant.answers {
            Answers::None => None,
            Answers::Live => live,
            Answers::Previous | Answers::Version(_) => {
                let models = self.models.load();
                // Until it is loaded the live version answers; what it answered is counted as its own.
                place.and_then(|place| models.get(place).cloned().flatten()).or(live)
            }
        }
    }

    /// The variants, without those held out.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// Puts the variants' models at hand, in the variants' order.
    pub fn hold(&self, models: Vec<Option<Arc<LiveModel>>>) {
        self.models.store(Arc::new(models));
    }

    /// The test as it stands, where there is one; `live` is the live version.
    #[must_use]
    pub fn view(&self, live: Option<&Arc<LiveModel>>) -> Option<ExperimentView> {
        let all = (0..).map(Some).zip(&self.variants).chain(self.holdout.iter().map(|holdout| (None, holdout)));
        let variants: Vec<VariantView> = all
            .map(|(place, variant)| VariantView {
                name: variant.name.to_string(),
                percent: variant.share as f64 / 100.0,
                answers: match variant.answers {
                    Answers::Live => "live".to_owned(),
                    Answers::Previous => "previous".to_owned(),
                    Answers::Version(version) => version.to_string(),
                    Answers::None => "none".to_owned(),
                },
                version: self.model(place, variant, live.cloned()).map(|model| model.version().0),
            })
            .collect();
        (!variants.is_empty()).then(|| ExperimentView { name: self.name.clone(), variants })
    }
}

/// A number from 0 to [`PARTS`] that is the user's in this test.
fn drawn(test: &str, user: &UserId) -> u64 {
    let hashed = xxh3_64(&[test.as_bytes(), &[0], user.as_str().as_bytes()].concat());
    // The upper bits of a product are even over the range, unlike a remainder.
    ((u128::from(hashed) * u128::from(PARTS)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn experiment(name: &str, holdout: u64) -> Experiment {
        let variants = ["a:50:live", "b:20.5:none", "c:0:7"].map(|text| Variant::read(text).unwrap());
        Experiment::new(name.to_owned(), variants.to_vec(), holdout)
    }

    fn dealt(experiment: &Experiment) -> BTreeMap<String, f64> {
        let mut counts = BTreeMap::new();
        for user in 0..100_000_u64 {
            let variant = experiment.dealt(&UserId::from(user)).map_or("", |(_, variant)| &variant.name);
            *counts.entry(variant.to_owned()).or_insert(0.0) += 1e-5;
        }
        counts
    }

    #[test]
    fn users_are_dealt_by_the_shares_and_stay() {
        let (first, again) = (experiment("colours", 500), experiment("colours", 500));
        let counts = dealt(&first);
        for (name, share) in [("holdout", 0.05), ("a", 0.95 * 0.5), ("b", 0.95 * 0.205), ("", 0.95 * 0.295)] {
            assert!((counts[name] - share).abs() < 0.006, "{name}: {counts:?}");
        }
        assert!(!counts.contains_key("c"));
        let other = experiment("shapes", 500);
        let (mut moved, mut held) = (0, 0);
        for user in (0..10_000_u64).map(UserId::from) {
            let name = |experiment: &Experiment| experiment.dealt(&user).map(|(_, variant)| variant.name.clone());
            assert_eq!(name(&first), name(&again));
            moved += usize::from(name(&first) != name(&other));
            held +=
                usize::from((name(&first).as_deref() == Some(HOLDOUT)) != (name(&other).as_deref() == Some(HOLDOUT)));
        }
        assert_eq!(held, 0, "the held out are the same in every test");
        assert!(moved > 4000, "{moved}");
    }

    #[test]
    fn without_a_name_there_is_no_test() {
        assert_eq!(experiment("", 0).dealt(&UserId::from(1_u64)), None);
        assert_eq!(experiment("", 0).view(None), None);
        assert_eq!(dealt(&experiment("", 10_000)).keys().collect::<Vec<_>>(), [HOLDOUT]);
    }

    #[test]
    fn variants_are_read_and_bad_ones_refused() {
        let read = Variant::read("new_1: 12.5 :9").unwrap();
        assert_eq!((&*read.name, read.share, read.answers), ("new_1", 1250, Answers::Version(Version(9))));
        for bad in [
            "",
            "a",
            "a:1",
            "a:1:live:x",
            "a:101:live",
            "a:-1:live",
            "a:x:live",
            "a:1:best",
            "a:1:0",
            "A:1:live",
            "holdout:1:live",
            ":1:live",
        ] {
            assert!(Variant::read(bad).is_err(), "{bad}");
        }
    }
}
