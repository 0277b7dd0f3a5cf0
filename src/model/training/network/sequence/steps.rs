//! A history as the network reads it: distinct items, oldest first, and what is known of each.

use crate::model::interactions::NO_TIME;

/// How many weightings of a history are learnt side by side.
pub const HEADS: usize = 2;
/// Places by how many later steps there are; the last is for steps without a time.
const RANKS: usize = 17;
/// Places by the time before the latest step; the last is for steps without a time.
const AGES: usize = 24;
/// Places by weight.
const AMOUNTS: usize = 7;
/// Rows of the table of strengths: ranks, ages, amounts.
pub const PLACES: usize = RANKS + AGES + AMOUNTS;

/// One item of a history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The item's index.
    pub item: u32,
    /// The sum of its events' weights; negative for a dislike, never 0.
    pub weight: f32,
    /// The time of its latest event, milliseconds of the epoch, or [`NO_TIME`].
    pub time_ms: i64,
}

/// The rows of the table of strengths that belong to each of `steps`, which stand oldest first: by its rank from the
/// latest (two places per doubling), by its age before the latest (a place per doubling of minutes) and by its weight
/// against `typical` (a place per doubling). Ages are taken from the latest step and not from the time of the question,
/// so that a session looks the same whenever it is asked about.
pub fn places(steps: &[Step], typical: f32) -> impl Iterator<Item = [usize; 3]> + '_ {
    let latest = steps.last().map_or(NO_TIME, |step| step.time_ms);
    steps.iter().enumerate().map(move |(at, step)| {
        let (rank, age) = if step.time_ms == NO_TIME {
            (RANKS - 1, AGES - 1)
        } else {
            let minutes = latest.saturating_sub(step.time_ms).max(0) / 60_000 + 1;
            let rank = ((steps.len() - at) as f32).log2() * 2.0;
            ((rank as usize).min(RANKS - 2), (minutes.ilog2() as usize).min(AGES - 2))
        };
        let amount = (step.weight.abs() / typical).log2().round().clamp(-3.0, 3.0) + 3.0;
        [rank, RANKS + age, RANKS + AGES + amount as usize]
    })
}

/// The strengths that training begins from, `[PLACES, HEADS]`: the first head weighs all steps alike, the others the
/// latest ones more.
pub fn first_strengths() -> Vec<f32> {
    let mut strengths = vec![0.0; PLACES * HEADS];
    for (rank, row) in strengths.chunks_exact_mut(HEADS).take(RANKS - 1).enumerate() {
        row.iter_mut().skip(1).for_each(|strength| *strength = -0.5 * rank as f32);
    }
    strengths
}

/// Gives the places that no step of training was in the strengths of the nearest one of their group that was: what
/// never happened in training may happen when a user asks.
pub fn fill_unmet(strengths: &mut [f32], met: &[bool; PLACES]) {
    for group in [0..RANKS, RANKS..RANKS + AGES, RANKS + AGES..PLACES] {
        let known: Vec<usize> = group.clone().filter(|&place| met.get(place) == Some(&true)).collect();
        for place in group {
            if let Some(&nearest) = known.iter().min_by_key(|&&other| other.abs_diff(place)) {
                strengths.copy_within(nearest * HEADS..(nearest + 1) * HEADS, place * HEADS);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_tell_rank_age_and_weight() {
        let step = |weight, time_ms| Step { item: 0, weight, time_ms };
        let minute = 60_000;
        let steps = [step(1.0, NO_TIME), step(4.0, 0), step(-1.0, 9 * minute), step(0.01, 10 * minute)];
        let found: Vec<[usize; 3]> = places(&steps, 1.0).collect();
        assert_eq!(found, [[16, 40, 44], [3, 20, 46], [2, 18, 44], [0, 17, 41]]);
        let extremes = [step(f32::MIN_POSITIVE, i64::MIN + 1), step(f32::MAX, i64::MAX)];
        assert!(places(&extremes, 1e-30).flatten().all(|place| place < PLACES));
    }

    #[test]
    fn what_training_never_met_is_like_what_is_nearest() {
        let mut strengths: Vec<f32> = (0..PLACES * HEADS).map(|at| at as f32).collect();
        let mut met = [false; PLACES];
        (met[2], met[6], met[RANKS + 5]) = (true, true, true);
        fill_unmet(&mut strengths, &met);
        assert_eq!(strengths[..HEADS], [4.0, 5.0]);
        assert_eq!(strengths[5 * HEADS..6 * HEADS], [12.0, 13.0]);
        assert!(strengths[RANKS * HEADS..(RANKS + AGES) * HEADS].chunks(HEADS).all(|row| row == [44.0, 45.0]));
        assert_eq!(strengths[(PLACES - 1) * HEADS], ((PLACES - 1) * HEADS) as f32, "a group that was never met stays");
    }
}
