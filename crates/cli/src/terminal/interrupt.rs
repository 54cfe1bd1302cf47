//! Ctrl-C (and SIGTERM, SIGHUP): the first finishes the step and saves, the second ends the process at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use super::output;
use crate::error::INTERRUPTED;

/// Nothing to finish: every file that has its name is whole at any moment, and what was being written the next command removes.
const AT_ONCE: u8 = 0;
/// Training runs, a probe's too: the step is to be finished and saved.
const AFTER_STEP: u8 = 1;
/// Requested.
const REQUESTED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(AT_ONCE);
/// What is said where the process ends at once.
static ADVICE: Mutex<Option<String>> = Mutex::new(None);

/// Starts to listen. A second call changes nothing.
pub(crate) fn listen() {
    // The only failure is a handler that is already there.
    let _ = ctrlc::set_handler(|| {
        if STATE.compare_exchange(AFTER_STEP, REQUESTED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            output::note("\ninterrupted: finishing the step and saving; once more to stop at once");
        } else {
            output::note("\ninterrupted");
            if let Some(advice) = ADVICE.lock().ok().and_then(|advice| advice.clone()) {
                output::note(advice);
            }
            std::process::exit(INTERRUPTED.into());
        }
    });
}

/// From now on, a Ctrl-C that ends the process at once says this, or nothing.
pub(crate) fn advise(advice: Option<String>) {
    if let Ok(mut place) = ADVICE.lock() {
        *place = advice;
    }
}

/// Until it is dropped, the first Ctrl-C only raises [`requested`].
#[must_use]
pub(crate) struct Graceful(());

impl Graceful {
    pub(crate) fn start() -> Self {
        STATE.store(AFTER_STEP, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Graceful {
    fn drop(&mut self) {
        STATE.store(AT_ONCE, Ordering::SeqCst);
    }
}

/// Whether Ctrl-C was pressed.
pub(crate) fn requested() -> bool {
    STATE.load(Ordering::SeqCst) == REQUESTED
}
