//! The whole result of a bench.

use serde::Serialize;

use super::kernels;
use super::outcome::Outcome;
use super::timed_parts::Part;

/// One row of the table: what is timed, for how many steps, and the target of its ratio to the peer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) part: Part,
    pub(super) must_reach: Option<f64>,
    /// None where the peer has no such part.
    #[serde(skip)]
    pub(super) peer_steps: Option<usize>,
}

/// The rounds of one row.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) row: Row,
    pub(super) ours: Vec<Outcome>,
    pub(super) peer: Vec<Outcome>,
}

/// The whole result, as bench.json has it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) kernels: Option<kernels::Kernels>,
    pub(super) rows: Vec<Measured>,
}

#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) threads: usize,
    pub(super) isa: String,
    pub(super) commit: String,
}
