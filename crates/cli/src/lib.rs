//! The relata command: train, probe, embed, report, data, import, export
