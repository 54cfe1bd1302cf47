//! `--seeds` of the commands that have it.

/// Reads one seed: a whole number that a configuration can hold, since TOML's go to 2^63 - 1.
pub(super) fn seed() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(0..=i64::MAX as u64)
}
