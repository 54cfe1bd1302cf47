use std::path::PathBuf;

/// What can be wrong with a configuration. Everything here is the user's turn: exit code 2.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A recipe that cannot be read.
    #[error("cannot read recipe {}{}", path.display(), crate::suggest::or_did_you_mean(nearest))]
    Recipe {
        /// The file.
        path: PathBuf,
        /// Recipes of a similar name.
        nearest: Vec<String>,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A recipe that is no TOML.
    #[error("{origin} is not valid TOML")]
    Toml {
        /// The file.
        origin: String,
        /// The parser's reason, with the line.
        source: Box<toml::de::Error>,
    },
    /// An argument that is no `key=value`.
    #[error("{argument:?} is no setting: write key=value, as in train.epochs=10")]
    NoSetting {
        /// The argument.
        argument: String,
    },
    /// A key that no setting has.
    #[error("unknown key {key:?} in {origin}{}", crate::suggest::did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// The dotted key.
        key: String,
        /// The file, or the command line.
        origin: String,
        /// The dotted key most like it, if any is.
        nearest: Option<String>,
    },
    /// A setting at its old key and at its new one.
    #[error("{old} in {origin} is the old key of {new}, which is there too: remove one of them")]
    OldAndNew {
        /// The key that has moved.
        old: String,
        /// Where it has moved to.
        new: String,
        /// The file, or the command line.
        origin: String,
    },
    /// A value of another type than the setting's.
    #[error("{key} in {origin} is {got}: expected {expected}")]
    Type {
        /// The dotted key.
        key: String,
        /// The file, or the command line.
        origin: String,
        /// What the setting takes.
        expected: String,
        /// What was given, in words.
        got: String,
    },
    /// A value of the right type that the setting does not know.
    #[error("{key} = {value} in {origin} is not allowed: {reason}")]
    Value {
        /// The dotted key.
        key: String,
        /// The value as it was written.
        value: String,
        /// The file, or the command line.
        origin: String,
        /// Why, and what would be allowed.
        reason: String,
    },
    /// A setting outside its range, found once all layers were joined.
    #[error("{key} = {value} is not allowed: expected {allowed}")]
    Range {
        /// The dotted key.
        key: String,
        /// The value.
        value: String,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// `--resume` with another number of epochs, where what every step does follows from it.
    #[error("train.epochs = {given} differs from the run's {stored}, and {planned} for so many; train a new run (--out) instead")]
    ResumeSchedule {
        /// The requested number.
        given: u32,
        /// The number in the run's config.toml.
        stored: u32,
        /// What was planned for that number, and by what.
        planned: &'static str,
    },
    /// `--resume` with fewer epochs than there are.
    #[error("train.epochs = {given} is less than the {} that the run has trained already", crate::terminal::format::counted(*trained as usize, "epoch"))]
    FewerEpochs {
        /// The requested number.
        given: u32,
        /// Epochs of the last checkpoint, one that is not whole included.
        trained: u32,
    },
    /// `--resume` with a setting that would make it another run.
    #[error(
        "{key} = {given} differs from the run's {stored}: a resumed run may change only {}; train a new run (--out) instead",
        super::resume::changeable_on_resume()
    )]
    Resume {
        /// The dotted key.
        key: String,
        /// The requested value.
        given: String,
        /// The value in the run's config.toml.
        stored: String,
    },
}

/// The module's result.
pub(crate) type Result<T, E = ConfigError> = std::result::Result<T, E>;
