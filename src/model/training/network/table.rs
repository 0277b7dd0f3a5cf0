//! An embedding table on the host with its optimiser.

#![expect(clippy::indexing_slicing, reason = "rows of known width")]

use rand::rngs::{StdRng, Xoshiro256PlusPlus};
use rand::{RngExt, SeedableRng};

use crate::model::kernels::fetch;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
/// Keras' epsilon.
pub const EPSILON: f32 = 1e-7;

/// Rows of `width` numbers, trained by Adam (Kingma and Ba, 2015) on the rows that a batch touches: the moments of other
/// rows stand still, and each row counts its own steps for the bias correction.
pub struct Table {
    width: usize,
    rows: Vec<f32>,
    /// Of each row the first moments, then the second: one place in memory instead of two.
    moments: Vec<f32>,
    steps: Vec<u32>,
    /// By steps of a row: what its learning rate is multiplied by, since its moments began at 0.
    corrections: Vec<f32>,
    /// Where a touched row's gradient is summed in `gradients`, plus 1; 0 for the others.
    slots: Vec<u32>,
    touched: Vec<u32>,
    gradients: Vec<f32>,
}

impl Table {
    /// Rows for which `used` holds begin uniform in ±0.05, which is Keras' default, the others are 0 and stay so.
    pub fn new(width: usize, used: &[bool], rng: &mut StdRng) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(rng.random());
        let mut rows = Vec::with_capacity(used.len() * width);
        for &used in used {
            rows.extend((0..width).map(|_| if used { rng.random_range(-0.05..0.05_f32) } else { 0.0 }));
        }
        Self::from_rows(width, rows)
    }

    /// Rows that begin as they are given.
    pub fn from_rows(width: usize, rows: Vec<f32>) -> Self {
        let count = rows.len() / width;
        Self {
            width,
            moments: vec![0.0; 2 * rows.len()],
            rows,
            steps: vec![0; count],
            corrections: vec![0.0],
            slots: vec![0; count],
            touched: Vec::new(),
            gradients: Vec::new(),
        }
    }

    /// Row `row`.
    pub fn row(&self, row: u32) -> &[f32] {
        &self.rows[row as usize * self.width..][..self.width]
    }

    /// All rows.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// All rows, taken out.
    pub fn into_rows(self) -> Vec<f32> {
        self.rows
    }

    /// Adds to the gradient of row `row`.
    pub fn add(&mut self, row: u32, gradient: &[f32]) {
        let slot = &mut self.slots[row as usize];
        if *slot == 0 {
            self.touched.push(row);
            self.gradients.extend_from_slice(gradient);
            *slot = self.touched.len() as u32;
            fetch(&self.moments[2 * row as usize * self.width..][..2 * self.width]);
            return;
        }
        let start = (*slot as usize - 1) * self.width;
        for (sum, value) in self.gradients[start..start + self.width].iter_mut().zip(gradient) {
            *sum += value;
        }
    }

    /// Adds to the gradients of all rows, `gradients` being as long as the table.
    pub fn add_all(&mut self, gradients: &[f32]) {
        for (row, gradient) in (0..).zip(gradients.chunks_exact(self.width)) {
            self.add(row, gradient);
        }
    }

    /// One step on the rows that have a gradient, which are then forgotten.
    pub fn step(&mut self, learning_rate: f32) {
        pulp::Arch::new().dispatch(Step { table: self, learning_rate });
        self.touched.clear();
        self.gradients.clear();
    }
}

/// [`Table::step`], compiled for the instructions that the machine has.
struct Step<'a> {
    table: &'a mut Table,
    learning_rate: f32,
}

impl pulp::WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let table = self.table;
        let width = table.width;
        for (&row, gradient) in table.touched.iter().zip(table.gradients.chunks_exact(width)) {
            let row = row as usize;
            table.slots[row] = 0;
            let steps = table.steps[row] as usize + 1;
            table.steps[row] += 1;
            if steps == table.corrections.len() {
                table.corrections.push(correction(steps));
            }
            let rate = self.learning_rate * table.corrections[steps];
            let (first, second) = table.moments[2 * row * width..][..2 * width].split_at_mut(width);
            let state = first.iter_mut().zip(second).zip(gradient);
            for (value, ((first, second), &slope)) in table.rows[row * width..][..width].iter_mut().zip(state) {
                *first = BETA_1 * *first + (1.0 - BETA_1) * slope;
                *second = BETA_2 * *second + (1.0 - BETA_2) * slope * slope;
                *value -= rate * *first / (second.sqrt() + EPSILON);
            }
        }
    }
}

fn correction(steps: usize) -> f32 {
    let steps = steps.min(1 << 20) as i32;
    (1.0 - BETA_2.powi(steps)).sqrt() / (1.0 - BETA_1.powi(steps))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn only_touched_rows_move_and_a_row_met_twice_moves_once_by_the_sum() {
        let mut table = Table::new(2, &[true, true, false], &mut StdRng::seed_from_u64(1));
        let before: Vec<f32> = table.rows().to_vec();
        table.add(1, &[1.0, -3.0]);
        table.add(1, &[1.0, 1.0]);
        table.step(0.01);
        // Adam's first step is the learning rate against the sign of the gradient.
        assert_eq!(table.row(0), &before[..2]);
        assert_eq!(table.row(2), [0.0, 0.0]);
        for (at, expected) in [(0, -0.01), (1, 0.01)] {
            assert!((table.row(1)[at] - before[2 + at] - expected).abs() < 1e-5);
        }
        let after = table.rows().to_vec();
        table.step(0.01);
        assert_eq!(table.rows(), after, "a gradient counts once");
    }
}
