//! The training loop, and the folded form that is served.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

use burn::tensor::Device;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::net::{INPUTS, Net, numbers, rows};
use super::shards::Shards;
use super::slopes::{Slopes, joined};
use super::table::Table;
use super::{EMBEDDING, HIDDEN, device};
use crate::model::training::job::{FitError, Job};
use crate::model::training::pool;

/// Pairs or rows that are computed at once where nothing is trained.
const CHUNK: usize = 4096;

/// Fewer examples than this are not worth a thread of their own.
const SMALLEST_SHARD: usize = 128;

/// One pair to learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Example {
    /// The user's row.
    pub user: u32,
    /// The item's row.
    pub item: u32,
    /// What is to be predicted, 0 to 1.
    pub target: f32,
}

/// How to train.
#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// Passes over the pairs.
    pub epochs: usize,
    /// Pairs per step.
    pub batch: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Share of the pairs held out.
    pub held_out: f64,
}

/// The trained network with its dense layer applied to every embedding: the prediction for a user's row `c` and an
/// item's row `a` is `weights · relu(a + c) + bias`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folded {
    /// `[users, HIDDEN]`; a user without an example has a row of 0.
    pub users: Vec<f32>,
    /// `[items, HIDDEN]`, the hidden layer's bias included.
    pub items: Vec<f32>,
    /// `[HIDDEN]`.
    pub weights: Vec<f32>,
    /// The output's bias.
    pub bias: f32,
}

/// Trains on `examples`: rows mixed anew each epoch, mean squared logarithmic error (predictions clamped at 0), Adam.
/// The held-out pairs are drawn at random from those whose user and item keep another pair, so that every row is
/// trained; their loss is logged after each epoch. Small batches run on one thread, of larger ones each thread takes a shard.
///
/// # Errors
/// [`FitError::Unsuited`] without an example, [`FitError::NotFinite`], [`FitError::Cancelled`], [`FitError::Library`].
pub fn train(
    examples: &[Example],
    users: usize,
    items: usize,
    settings: &NetworkSettings,
    job: &Job,
) -> Result<Folded, FitError> {
    pool::within(1, || {
        let mut rng = StdRng::seed_from_u64(job.seed);
        let (mut learnt, held_out) = split(examples, users, items, settings.held_out, &mut rng);
        let mut trainer = Trainer::new(&learnt, users, items, settings, job.threads, rng)?;
        for epoch in 1..=settings.epochs {
            let loss = trainer.epoch(&mut learnt, settings, job)?;
            let held = trainer.loss(&held_out, job)?;
            let held = held.map_or_else(|| "nothing held out".to_owned(), |loss| format!("held-out loss {loss:.6}"));
            job.log(format!("neural-cf: epoch {epoch} of {}, loss {loss:.6}, {held}", settings.epochs));
        }
        trainer.fold(job)
    })?
}

/// Draws the held-out examples; the others are what is learnt.
fn split(
    examples: &[Example],
    users: usize,
    items: usize,
    share: f64,
    rng: &mut StdRng,
) -> (Vec<Example>, Vec<Example>) {
    let mut of_user = vec![0_u32; users];
    let mut of_item = vec![0_u32; items];
    for example in examples {
        of_user[example.user as usize] += 1;
        of_item[example.item as usize] += 1;
    }
    let mut mixed = examples.to_vec();
    mixed.shuffle(rng);
    let wanted = (examples.len() as f64 * share) as usize;
    let mut held_out = Vec::with_capacity(wanted);
    mixed.retain(|example| {
        let (user, item) = (&mut of_user[example.user as usize], &mut of_item[example.item as usize]);
        let hold = held_out.len() < wanted && *user > 1 && *item > 1;
        if hold {
            *user -= 1;
            *item -= 1;
            held_out.push(*example);
        }
        !hold
    });
    (mixed, held_out)
}

struct Trainer {
    users: Table,
    items: Table,
    net: Net,
    shards: Shards<Slopes>,
    rng: StdRng,
    plain: Device,
}

impl Trainer {
    fn new(
        learnt: &[Example],
        users: usize,
        items: usize,
        settings: &NetworkSettings,
        threads: usize,
        mut rng: StdRng,
    ) -> Result<Self, FitError> {
        if learnt.is_empty() || settings.batch == 0 {
            return Err(FitError::Unsuited("neural-cf has no pair of positive weight to learn".into()));
        }
        let mean = learnt.iter().map(|example| f64::from(example.target)).sum::<f64>() / learnt.len() as f64;
        let (mut used_users, mut used_items) = (vec![false; users], vec![false; items]);
        for example in learnt {
            used_users[example.user as usize] = true;
            used_items[example.item as usize] = true;
        }
        let plain = device::plain();
        let differentiating = plain.clone().autodiff();
        Ok(Self {
            net: Net::new(mean as f32, &mut rng),
            users: Table::new(EMBEDDING, &used_users, &mut rng),
            items: Table::new(EMBEDDING, &used_items, &mut rng),
            shards: Shards::new(threads, settings.batch, SMALLEST_SHARD, || Slopes::new(&differentiating, &mut rng))?,
            rng,
            plain,
        })
    }

    /// One pass over `learnt`; the mean loss, dropout included.
    fn epoch(&mut self, learnt: &mut [Example], settings: &NetworkSettings, job: &Job) -> Result<f64, FitError> {
        learnt.shuffle(&mut self.rng);
        let mut sum = 0.0;
        for batch in learnt.chunks(settings.batch) {
            job.check()?;
            sum += self.step(batch, settings.learning_rate as f32)?;
        }
        Ok(sum / learnt.len() as f64)
    }

    /// One step; the sum of the squared errors.
    fn step(&mut self, batch: &[Example], learning_rate: f32) -> Result<f64, FitError> {
        let (net, tables) = (&self.net, (&self.users, &self.items));
        let shards = batch.chunks(self.shards.size(batch.len()));
        let found = self.shards.each(shards, |slopes, shard| slopes.of(net, shard, batch.len(), tables))?;
        let loss: f64 = found.iter().map(|found| found.loss).sum();
        if !loss.is_finite() {
            return Err(FitError::NotFinite("the loss of neural-cf".into()));
        }
        let (users, items, net) = (&mut self.users, &mut self.items, &mut self.net);
        let rows = || batch.iter().zip(found.iter().flat_map(|found| found.inputs.chunks_exact(INPUTS)));
        self.shards.join(
            || {
                rows().for_each(|(example, slopes)| users.add(example.user, &slopes[..EMBEDDING]));
                users.step(learning_rate);
            },
            || {
                rows().for_each(|(example, slopes)| items.add(example.item, &slopes[EMBEDDING..2 * EMBEDDING]));
                items.step(learning_rate);
                found.iter().for_each(|found| net.add(found));
                net.step(learning_rate);
            },
        );
        Ok(loss)
    }

    /// The network's predictions without dropout.
    fn predict(&self, examples: &[Example], job: &Job) -> Result<Vec<f32>, FitError> {
        let (layers, bias) = (self.net.on(&self.plain), self.net.bias());
        let mut predicted = Vec::with_capacity(examples.len());
        for chunk in examples.chunks(CHUNK) {
            job.check()?;
            let inputs = rows(joined(chunk, &self.users, &self.items), chunk.len(), &self.plain);
            predicted.extend(numbers(layers.forward(inputs))?.into_iter().map(|value| value + bias));
        }
        Ok(predicted)
    }

    /// The mean loss without dropout; none without examples.
    fn loss(&self, examples: &[Example], job: &Job) -> Result<Option<f64>, FitError> {
        let predicted = self.predict(examples, job)?;
        let errors = predicted.iter().zip(logarithms(examples));
        let sum: f64 = errors.map(|(value, target)| f64::from(value.max(0.0).ln_1p() - target).powi(2)).sum();
        Ok((!examples.is_empty()).then(|| sum / examples.len() as f64))
    }

    /// Applies the dense layer to both tables.
    fn fold(&self, job: &Job) -> Result<Folded, FitError> {
        let (of_users, others) = self.net.hidden.rows().split_at(EMBEDDING * HIDDEN);
        let (of_items, bias) = others.split_at(EMBEDDING * HIDDEN);
        let side = |table: &Table, weights: &[f32]| -> Result<Vec<f32>, FitError> {
            let weights = rows(weights.to_vec(), EMBEDDING, &self.plain);
            let mut folded = Vec::with_capacity(table.rows().len() / EMBEDDING * HIDDEN);
            for chunk in table.rows().chunks(CHUNK * EMBEDDING) {
                job.check()?;
                let embeddings = rows(chunk.to_vec(), chunk.len() / EMBEDDING, &self.plain);
                folded.extend(numbers(embeddings.matmul(weights.clone()))?);
            }
            Ok(folded)
        };
        let mut items = side(&self.items, of_items)?;
        for row in items.chunks_exact_mut(HIDDEN) {
            row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }
        let folded = Folded {
            users: side(&self.users, of_users)?,
            items,
            weights: self.net.output.rows().to_vec(),
            bias: self.net.bias(),
        };
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if finite(&folded.users) && finite(&folded.items) && finite(&folded.weights) && folded.bias.is_finite() {
            Ok(folded)
        } else {
            Err(FitError::NotFinite("a weight of neural-cf".into()))
        }
    }
}

fn logarithms(examples: &[Example]) -> Vec<f32> {
    examples.iter().map(|example| example.target.ln_1p()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use parking_lot::Mutex;

    use super::*;
    use crate::model::training::job::Report;

    /// Users and items in two groups that like their own.
    fn groups(users: u32, items: u32) -> Vec<Example> {
        let pairs = (0..users).flat_map(|user| (0..items).map(move |item| (user, item)));
        let liked = |user: u32, item: u32| if user % 2 == item % 2 { 0.9 } else { 0.1 };
        pairs.map(|(user, item)| Example { user, item, target: liked(user, item) }).collect()
    }

    fn settings(epochs: usize) -> NetworkSettings {
        NetworkSettings { epochs, batch: 64, learning_rate: 0.01, held_out: 0.1 }
    }

    #[test]
    fn the_folded_form_predicts_what_the_network_does() {
        let job = Job::quiet(7);
        let examples = groups(30, 20);
        let mut learnt = examples.clone();
        let mut trainer = Trainer::new(&learnt, 30, 20, &settings(1), 1, StdRng::seed_from_u64(7)).unwrap();
        trainer.epoch(&mut learnt, &settings(1), &job).unwrap();
        let folded = trainer.fold(&job).unwrap();
        for (example, expected) in examples.iter().zip(trainer.predict(&examples, &job).unwrap()) {
            let user = &folded.users[example.user as usize * HIDDEN..][..HIDDEN];
            let item = &folded.items[example.item as usize * HIDDEN..][..HIDDEN];
            let hidden = user.iter().zip(item).map(|(user, item)| (user + item).max(0.0));
            let score = hidden.zip(&folded.weights).map(|(value, weight)| value * weight).sum::<f32>() + folded.bias;
            assert!((score - expected).abs() < 1e-5, "{score} is not {expected}");
        }
    }

    #[test]
    fn it_learns_logs_each_epoch_and_repeats_itself() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let reporter = Arc::new(move |report| {
            if let Report::Log(line) = report {
                heard.lock().push(line);
            }
        });
        let job = Job::new(3, 2, Arc::default(), reporter);
        let once = train(&groups(40, 30), 40, 30, &settings(12), &job).unwrap();
        let lines = lines.lock().clone();
        let held_out = |line: &String| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        let losses: Vec<f64> = lines.iter().map(held_out).collect();
        assert_eq!(losses.len(), 12, "{lines:?}");
        assert!(losses[11] < losses[0] / 4.0, "{losses:?}");
        assert_eq!(train(&groups(40, 30), 40, 30, &settings(12), &Job::quiet(3)).unwrap(), once);
        assert_ne!(train(&groups(40, 30), 40, 30, &settings(12), &Job::quiet(4)).unwrap(), once);
    }

    #[test]
    fn what_is_held_out_leaves_every_row_an_example() {
        let mut examples = groups(10, 8);
        examples.push(Example { user: 10, item: 8, target: 1.0 });
        let (learnt, held_out) = split(&examples, 11, 9, 0.5, &mut StdRng::seed_from_u64(1));
        assert_eq!((learnt.len(), held_out.len()), (41, 40));
        assert!((0..11).all(|user| learnt.iter().any(|example| example.user == user)));
        assert!((0..9).all(|item| learnt.iter().any(|example| example.item == item)));
    }

    #[test]
    fn it_stops_when_cancelled_and_refuses_a_loss_that_is_not_finite() {
        let cancelled = Job::new(1, 1, Arc::new(AtomicBool::new(true)), Arc::new(|_| ()));
        assert!(matches!(train(&groups(4, 4), 4, 4, &settings(1), &cancelled), Err(FitError::Cancelled)));
        let mut examples = groups(4, 4);
        examples[3].target = f32::NAN;
        assert!(matches!(train(&examples, 4, 4, &settings(1), &Job::quiet(1)), Err(FitError::NotFinite(_))));
        assert!(matches!(train(&[], 4, 4, &settings(1), &Job::quiet(1)), Err(FitError::Unsuited(_))));
    }
}
