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
        let is_wrong_request = match self {
            Self::Interrupted { .. } => return INTERRUPTED,
            Self::Config(_) | Self::Usage(_) | Self::NoCheckpoint { .. } | Self::TrainedOnTest { .. } | Self::Memory { .. } => {
                true
            }
            Self::RunsFailed { .. }
            | Self::Model(_)
            | Self::Ops(_)
            | Self::Report(_)
            | Self::Picture(_)
            | Self::OtherData { .. }
            | Self::NotWhole { .. } => false,
            Self::Data(error) => error.kind() == relata_data::ErrorKind::Usage,
            Self::Augment(error) | Self::Train(relata_train::Error::Augment(error)) => {
                error.kind() == relata_augment::ErrorKind::Usage
            }
            Self::Train(error) => error.kind() == relata_train::ErrorKind::Usage,
            Self::Probe(error) => error.kind() == relata_probe::ErrorKind::Usage,
            Self::Artifact(error) => error.kind() == relata_artifact::ErrorKind::Usage,
        };
        if is_wrong_request { USAGE } else { FAILURE }
    }
}
