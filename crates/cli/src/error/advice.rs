//! What to do next after an error. The libraries know no flags and no settings of the command line: those are named here.

use super::Error;
use crate::config::ConfigError;
use crate::suggest;
use crate::terminal::program::program;

impl Error {
    /// What to do next, where the message does not say it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Config(ConfigError::UnknownKey { .. } | ConfigError::Type { .. } | ConfigError::Value { .. }) => {
                return Some(format!("{} train --dry-run prints every setting with its value", program()));
            }
            Self::Config(ConfigError::NoSetting { .. }) => {
                return Some(format!("{} train --help shows the arguments and an example", program()));
            }
            Self::TrainedOnTest { .. } => {
                "train with data.split=train, or without scores (probe.after_train=false) and score other images then (--data)"
            }
            Self::OtherData { .. } => {
                "point data.root or data.path at the data that the run was trained on, or train a new run (--out)"
            }
            Self::Data(relata_data::Error::UnknownDataset { name, known })
            | Self::Data(relata_data::Error::UnknownSetting { key: name, known })
            | Self::Probe(relata_probe::Error::UnknownProtocol { name, known }) => {
                return suggest::nearest(name, known.iter().map(String::as_str)).map(did_you_mean);
            }
            Self::Train(relata_train::Error::UnknownName { name, known, .. }) => {
                return suggest::nearest(name, known.iter().copied()).map(did_you_mean);
            }
            Self::Data(relata_data::Error::NoSuchPath { .. }) => {
                "data.path says where it is, from the folder that the command is run in"
            }
            Self::Data(relata_data::Error::Missing { .. }) if cfg!(feature = "fetch") => {
                return Some(format!(
                    "{} data fetch NAME downloads a data set and unpacks it; a folder of it that is there is to be moved away first",
                    program()
                ));
            }
            Self::NotWhole { broken, lacking, .. } => return not_whole_help(*broken, *lacking),
            Self::Data(relata_data::Error::BrokenImage { .. }) => return Some(broken_help()),
            Self::Train(relata_train::Error::Augment(relata_augment::Error::Image { .. }))
            | Self::Probe(relata_probe::Error::Images(relata_augment::Error::Image { .. })) => return Some(broken_help()),
            Self::Model(error) | Self::Train(relata_train::Error::Model(error)) => match model_help(error) {
                Some(help) => help,
                None => return self.disk_help(),
            },
            Self::Artifact(relata_artifact::Error::NoRun { path, known }) => {
                return suggest::did_you_mean_run(path, known);
            }
            Self::Artifact(error)
            | Self::Train(relata_train::Error::Artifact(error))
            | Self::Probe(relata_probe::Error::Artifact(error)) => match folder_help(error) {
                Some(help) => help,
                None => return self.disk_help(),
            },
            _ => return self.disk_help(),
        };
        Some(help.to_owned())
    }

    fn disk_help(&self) -> Option<String> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                return self.disk_help_for(io.kind()).map(str::to_owned);
            }
            cause = error.source();
        }
        None
    }

    fn disk_help_for(&self, kind: std::io::ErrorKind) -> Option<&'static str> {
        use std::io::ErrorKind;
        let full = matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let refused = matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
        match self {
            Self::Data(relata_data::Error::Write { .. }) if full => Some("free some space, and try again"),
            Self::Data(relata_data::Error::Write { .. }) if refused => {
                Some("choose a place that can be written to: data.root is where data sets go, --out where a pack goes")
            }
            // What cannot be read does not become readable by writing elsewhere.
            Self::Data(_) | Self::Artifact(relata_artifact::Error::Io { action: "read" | "list", .. }) => None,
            _ if full => Some("free some space; a run that was under way goes on with --resume"),
            _ if refused => Some("choose a place that can be written to with --out"),
            _ => None,
        }
    }
}

/// Which of the command line's flags help where a run folder is refused.
fn folder_help(error: &relata_artifact::Error) -> Option<&'static str> {
    Some(match error {
        relata_artifact::Error::Exists { .. } => {
            "replace it (--overwrite), or choose another place (--out); a training that was stopped there goes on with --resume"
        }
        relata_artifact::Error::InUse { .. } => "wait for it, or choose another place (--out)",
        relata_artifact::Error::NotOverwritten { .. } => "choose another place (--out)",
        relata_artifact::Error::Json { line: Some(_), .. } => "cut that line out of the file",
        relata_artifact::Error::Json { path, .. } if path.parent().is_some_and(|folder| folder.ends_with("probes")) => {
            "mend it, or move it out of probes/, which holds results alone"
        }
        relata_artifact::Error::Json { .. } => "mend it, or move it away",
        _ => return None,
    })
}

/// `None` where the faults themselves say all.
fn not_whole_help(broken: bool, lacking: bool) -> Option<String> {
    let skip = broken.then_some("data.on_bad_image=skip leaves broken images out");
    let again = "bring what is damaged or missing, or move the folder away and unpack or download the data set again";
    let help: Vec<&str> = skip.into_iter().chain(lacking.then_some(again)).collect();
    (!help.is_empty()).then(|| help.join("; "))
}

/// What helps where weights or sizes do not fit the model.
fn model_help(error: &relata_model::Error) -> Option<&'static str> {
    use relata_model::Error as Model;
    Some(match error {
        Model::Weights { .. } | Model::MissingTensor { .. } | Model::TensorShape { .. } | Model::OtherParameters { .. } => {
            "model.backbone and model.stem must be those that the weights were trained with"
        }
        Model::Size { what: "images", .. } => "raise augment.side, or take a smaller model.backbone or model.stem",
        _ => return None,
    })
}

fn did_you_mean(nearest: &str) -> String {
    format!("did you mean {nearest:?}?")
}

fn broken_help() -> String {
    format!(
        "{} data verify lists every broken image; data.on_bad_image=skip leaves them out and counts them, in a new run",
        program()
    )
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn advice_names_what_the_command_has() {
        let path = PathBuf::from("place");
        let help = |error: Error| error.help().unwrap_or_default();
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let written = relata_data::Error::Write { path: path.clone(), source: kind.into() };
            assert!(help(written.into()).contains("data.root"));
            let read = relata_data::Error::Io { path: path.clone(), source: kind.into() };
            assert_eq!(help(read.into()), "");
            let io = |action| relata_artifact::Error::Io { action, path: path.clone(), source: kind.into() };
            assert!(help(io("create").into()).contains("--out"));
            assert_eq!(help(io("read").into()), "");
        }
    }

    #[test]
    fn a_file_that_is_no_json_comes_with_what_to_do() {
        let help = |path: &str, line| {
            let source = serde_json::from_str::<u8>("{").unwrap_err();
            Error::Artifact(relata_artifact::Error::Json { path: path.into(), line, source }).help().unwrap_or_default()
        };
        assert!(help("run/probes/notes.json", None).contains("out of probes/"));
        assert!(help("run/metrics.jsonl", Some(3)).contains("that line"));
        assert!(help("run/provenance.json", None).contains("move it away"));
    }

    #[test]
    fn what_is_not_whole_comes_with_what_helps_against_its_faults() {
        let help = |broken, lacking| Error::NotWhole { name: "a".into(), faults: Vec::new(), broken, lacking }.help();
        assert_eq!(help(false, false), None);
        assert!(help(true, false).is_some_and(|help| help.contains("on_bad_image") && !help.contains("missing")));
        assert!(help(false, true).is_some_and(|help| !help.contains("on_bad_image") && help.contains("missing")));
    }

    #[test]
    fn images_too_small_for_a_model_are_not_called_other_weights() {
        let images = relata_model::Error::Size { what: "images", expected: "larger".to_owned(), got: "1 x 1 px".to_owned() };
        assert!(Error::from(relata_train::Error::from(images)).help().is_some_and(|help| help.contains("augment.side")));
    }

    #[test]
    fn a_folder_that_is_refused_comes_with_the_flags_that_help() {
        let path = PathBuf::from("run");
        let exists = || relata_artifact::Error::Exists { path: path.clone() };
        for flag in ["--overwrite", "--out", "--resume"] {
            assert!(Error::from(exists()).help().is_some_and(|help| help.contains(flag)), "{flag}");
            assert!(!exists().to_string().contains(flag), "the library knows no flags");
        }
        for error in [
            relata_artifact::Error::InUse { path: path.clone() },
            relata_artifact::Error::NotOverwritten { path: path.clone(), reason: "it holds thesis.tex".to_owned() },
        ] {
            assert!(!error.to_string().contains("--out"));
            let trained = Error::Train(relata_train::Error::Artifact(error));
            assert!(trained.help().is_some_and(|help| help.contains("--out")));
        }
    }
}
