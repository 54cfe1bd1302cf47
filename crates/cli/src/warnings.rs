//! Warnings of the libraries (images that were left out, say): shown at once, and kept for the run's log.

use std::io::{self, Write};
use std::sync::Mutex;

use crate::output;

static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Starts to listen. A second call, or a subscriber that is there already, changes nothing.
pub(crate) fn listen() {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).without_time().with_target(false);
    let _ = subscriber.with_level(false).with_ansi(false).with_writer(|| Lines).try_init();
}

/// The warnings since the last call.
pub(crate) fn take() -> Vec<String> {
    KEPT.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default()
}

/// Takes one event a call, as the subscriber hands them over.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).trim().to_owned();
        output::note(format!("warning: {text}"));
        if let Ok(mut kept) = KEPT.lock() {
            kept.push(text);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
