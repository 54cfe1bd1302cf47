//! Exit codes, by whose turn it is.

use super::Error;

/// Something failed on the way.
const FAILURE: u8 = 1;
/// The request itself was wrong: arguments, configuration, the name of a run.
const USAGE: u8 = 2;
/// What the shell expects of a command that was ended by Ctrl-C; after SIGTERM and SIGHUP too.
pub(crate) const INTERRUPTED: u8 = 130;

impl Error {
    /// 1 for a failure, 2 for a wrong request (arguments or configuration), 130 for Ctrl-C, SIGTERM or SIGHUP.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage(_) | Self::NoCheckpoint { .. } | Self::TrainedOnTest { .. } | Self::Memory { .. } => {
                USAGE
            }
            Self::Interrupted { .. } => INTERRUPTED,
            Self::Data(error) => data_code(error),
            Self::Augment(error) => augment_code(error),
            Self::RunsFailed { .. }
            | Self::Model(_)
            | Self::Ops(_)
            | Self::Report(_)
            | Self::Picture(_)
            | Self::OtherData { .. }
            | Self::NotWhole { .. } => FAILURE,
            Self::Train(relata_train::Error::Augment(error)) | Self::Probe(relata_probe::Error::Images(error)) => {
                augment_code(error)
            }
            Self::Train(error) => match error.kind() {
                relata_train::ErrorKind::Usage => USAGE,
                _ => FAILURE,
            },
            Self::Probe(error) => match error.kind() {
                relata_probe::ErrorKind::Usage => USAGE,
                _ => FAILURE,
            },
            Self::Artifact(error) => artifact_code(error),
        }
    }
}

fn data_code(error: &relata_data::Error) -> u8 {
    match error.kind() {
        relata_data::ErrorKind::Usage => USAGE,
        _ => FAILURE,
    }
}

fn augment_code(error: &relata_augment::Error) -> u8 {
    match error {
        relata_augment::Error::Setting { .. } => USAGE,
        relata_augment::Error::Image { source, .. } => data_code(source),
        _ => FAILURE,
    }
}

fn artifact_code(error: &relata_artifact::Error) -> u8 {
    match error.kind() {
        relata_artifact::ErrorKind::Usage => USAGE,
        relata_artifact::ErrorKind::Failure => FAILURE,
    }
}
