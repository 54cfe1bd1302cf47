//! The run folder: resolved config, metrics, checkpoints, probe results; every write atomic
