//! A batch divided between threads.

use std::panic::resume_unwind;

use rayon::ThreadPool;

use crate::model::training::job::FitError;
use crate::model::training::pool;

/// A thread each with a worker of its own, which are there as long as this is; the first worker is on the caller's thread.
///
/// What comes of a batch depends on how many shards it has, by rounding and by what each worker draws, and on nothing else.
/// Networks go to other threads as forks: a clone shares the graph with its origin, and two threads that differentiate in
/// one hang.
pub struct Shards<W> {
    own: W,
    others: Vec<(ThreadPool, W)>,
}

impl<W: Send> Shards<W> {
    /// As many workers as `threads`, but no more than batches of `batch` have room for shards of `smallest`, and one at
    /// least; each is made by `worker`.
    ///
    /// # Errors
    /// [`FitError::Library`] when a thread cannot be started.
    pub fn new(threads: usize, batch: usize, smallest: usize, mut worker: impl FnMut() -> W) -> Result<Self, FitError> {
        let own = worker();
        let others = (1..threads.min(batch / smallest)).map(|_| Ok((pool::of(1)?, worker())));
        Ok(Self { own, others: others.collect::<Result<_, FitError>>()? })
    }

    /// How many rows of a batch of `rows` a shard has: all have as many but the last, which may have fewer.
    pub fn size(&self, rows: usize) -> usize {
        rows.div_ceil(self.others.len() + 1).max(1)
    }

    /// Gives each of `parts`, no more of them than workers, to a worker; what they made of them, in the order of the parts.
    ///
    /// # Errors
    /// The first that `work` gave.
    pub fn each<P: Send, R: Send>(
        &mut self,
        parts: impl IntoIterator<Item = P>,
        work: impl Fn(&mut W, P) -> Result<R, FitError> + Sync,
    ) -> Result<Vec<R>, FitError> {
        let (work, own) = (&work, &mut self.own);
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Ok(Vec::new()) };
        std::thread::scope(|scope| {
            let others: Vec<_> = self
                .others
                .iter_mut()
                .zip(parts)
                .map(|((pool, worker), part)| scope.spawn(move || pool.install(|| work(worker, part))))
                .collect();
            let first = work(own, first);
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            [first].into_iter().chain(others).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_in_order_and_each_worker_keeps_its_own() {
        let mut next = 0;
        let mut shards = Shards::new(3, 700, 200, || {
            next += 1;
            next
        })
        .unwrap();
        assert_eq!((shards.size(700), shards.size(1), shards.size(0)), (234, 1, 1));
        let rows: Vec<u32> = (0..700).collect();
        let sums = shards.each(rows.chunks(shards.size(700)), |worker, part| {
            *worker *= 10;
            Ok((*worker, part.iter().sum::<u32>()))
        });
        assert_eq!(sums.unwrap(), [(10, 27_261), (20, 82_017), (30, 135_372)]);
        let failed = shards.each([1, 2], |_, part| if part == 2 { Err(FitError::Cancelled) } else { Ok(()) });
        assert!(matches!(failed, Err(FitError::Cancelled)));
        assert_eq!(Shards::new(8, 100, 200, || ()).unwrap().size(100), 100, "too small to divide");
    }
}
