//! On how many threads, and with which instructions, the kernels run.

use crate::scratch::reserve_scratch;
use crate::{Error, Isa, Result};
use std::sync::Arc;

/// A pool of threads and an instruction set for the kernels of a net, its head or a probe. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Compute {
    pool: Arc<rayon::ThreadPool>,
    isa: Isa,
}

impl Compute {
    /// `threads` workers (0: as many as the machine has) with the best instruction set.
    ///
    /// # Errors
    /// [`Error::Threads`] where the operating system gives none.
    pub fn new(threads: usize) -> Result<Self> {
        Self::with_isa(threads, Isa::best())
    }

    /// As [`Compute::new`] with an instruction set of one's own choice.
    ///
    /// # Errors
    /// As [`Compute::new`].
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("relata-{i}")).build();
        let pool = pool.map_err(|error| Error::Threads { threads, reason: error.to_string() })?;
        Ok(Self { pool: Arc::new(pool), isa })
    }

    /// Number of worker threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The instruction set.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Runs `work` on the workers.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Lets every worker have `len` floats of scratch, so that no kernel has to allocate it in a step.
    pub fn reserve_scratch(&self, len: usize) {
        self.pool.broadcast(|_| reserve_scratch(len));
    }
}
