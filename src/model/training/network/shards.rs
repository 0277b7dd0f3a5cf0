//! A batch divided between threads.

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
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Ok(Vec::new()) };
        let mut others: Vec<_> = self.others.iter_mut().zip(parts).map(Errand::new).collect();
        let first = beside(&mut others, &work, || work(&mut self.own, first));
        [first].into_iter().chain(others.into_iter().filter_map(|errand| errand.result)).collect()
    }

    /// Does both, at once where there is a second thread.
    pub fn join(&self, own: impl FnOnce() + Send, other: impl FnOnce() + Send) {
        match self.others.first() {
            Some((pool, _)) => pool.in_place_scope(|scope| {
                scope.spawn(|_| other());
                own();
            }),
            None => {
                own();
                other();
            }
        }
    }
}

/// What a thread is to do and what came of it.
struct Errand<'a, W, P, R> {
    pool: &'a ThreadPool,
    worker: &'a mut W,
    part: Option<P>,
    result: Option<Result<R, FitError>>,
}

impl<'a, W, P, R> Errand<'a, W, P, R> {
    fn new(((pool, worker), part): (&'a mut (ThreadPool, W), P)) -> Self {
        Self { pool, worker, part: Some(part), result: None }
    }
}

/// Runs `own` on this thread while the others' parts are worked on; comes back when all are done. A panic of any goes on
/// here.
fn beside<W: Send, P: Send, R: Send, O>(
    others: &mut [Errand<'_, W, P, R>],
    work: &(impl Fn(&mut W, P) -> Result<R, FitError> + Sync),
    own: impl FnOnce() -> O,
) -> O {
    let Some((Errand { pool, worker, part, result }, rest)) = others.split_first_mut() else { return own() };
    pool.in_place_scope(|scope| {
        scope.spawn(move |_| *result = part.take().map(|part| work(worker, part)));
        beside(rest, work, own)
    })
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
