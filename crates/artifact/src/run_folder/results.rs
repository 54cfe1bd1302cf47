//! `probes/`: results, each under a name that says what it was requested with, and the sample of features.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::RunFolder;
use super::documents::{make_parent, read_json, write_json};
use super::layout::plain_name;
use super::recognise::names_with_extension;
use crate::{Error, FeatureSample, ProbeResult, Result, read_checkpoint_metadata};

impl RunFolder {
    /// Writes a result under the name of what it belongs to ([`ProbeResult::stem`]), and says which. A result of another request in
    /// that place, as a change of the configuration leaves it, moves to its own name first.
    ///
    /// # Errors
    /// [`Error::Json`] where what has that name is no result, and stays; [`Error::Name`], [`Error::Toml`], [`Error::Damaged`],
    /// [`Error::Io`].
    pub fn write_result(&self, result: &ProbeResult) -> Result<String> {
        let name = self.result_name(result)?;
        self.rename_by_config(std::slice::from_ref(&name))?;
        self.write_probe(&name, result)?;
        Ok(name)
    }

    /// The name of a result of this run, there or not.
    ///
    /// # Errors
    /// [`Error::Toml`], [`Error::Io`].
    pub fn result_name(&self, result: &ProbeResult) -> Result<String> {
        let mut result = result.clone();
        result.compare_with(&self.config_table()?, None);
        Ok(result.stem())
    }

    /// Writes another configuration of the same run. Results that were named by the one before are named by this one.
    ///
    /// # Errors
    /// As [`write_config`](Self::write_config) and [`probes`](Self::probes).
    pub fn change_config(&self, text: &str) -> Result<()> {
        let named = self.probes()?.into_iter().filter(|(name, result)| *name == result.stem());
        let named: Vec<String> = named.map(|(name, _)| name).collect();
        self.write_config(text)?;
        self.rename_by_config(&named)
    }

    /// Moves the results called one of `names` to the names that they have by the configuration, where these are free. No other file is
    /// read: what else lies in the folder, and perhaps is no result, keeps nobody from writing.
    fn rename_by_config(&self, names: &[String]) -> Result<()> {
        let path = |name: &str| self.probes_dir().join(format!("{name}.json"));
        if !names.iter().any(|name| path(name).exists()) {
            return Ok(());
        }
        let (config, last_step) = (self.config_table()?, self.last_step()?);
        // Once more after a move, which may have freed the place of another.
        let mut moved = true;
        while moved {
            moved = false;
            for name in names {
                let Some(mut result) = read_json::<ProbeResult>(&path(name))? else { continue };
                result.compare_with(&config, last_step);
                let stem = result.stem();
                if *name != stem && !path(&stem).exists() {
                    let (from, to) = (path(name), path(plain_name("probe", &stem)?));
                    fs::rename(&from, &to).map_err(Error::io("rename", &from))?;
                    moved = true;
                }
            }
        }
        Ok(())
    }

    /// Steps that the last checkpoint was trained for; `None` without one, or for weights from elsewhere.
    ///
    /// # Errors
    /// As [`read_checkpoint_metadata`].
    pub fn last_step(&self) -> Result<Option<u64>> {
        let last = self.checkpoint_path("last")?;
        let metadata = if last.exists() { read_checkpoint_metadata(&last)? } else { BTreeMap::new() };
        Ok(metadata.get("train.step").and_then(|step| step.parse().ok()))
    }

    /// Writes `probes/<name>.json`.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Io`].
    pub fn write_probe(&self, name: &str, result: &ProbeResult) -> Result<()> {
        let name = plain_name("probe", name)?;
        write_json(&self.probes_dir().join(format!("{name}.json")), result)
    }

    /// All probe results with their names, sorted by name, each with what it differs in from the run's own
    /// ([`ProbeResult::differs`]).
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::Toml`], [`Error::Io`]; [`Error::Damaged`] for a last checkpoint whose step cannot be read.
    pub fn probes(&self) -> Result<Vec<(String, ProbeResult)>> {
        let mut probes = Vec::new();
        for name in names_with_extension(&self.probes_dir(), "json")? {
            if let Some(result) = read_json(&self.probes_dir().join(format!("{name}.json")))? {
                probes.push((name, result));
            }
        }
        if !probes.is_empty() {
            let (config, last_step) = (self.config_table()?, self.last_step()?);
            probes.iter_mut().for_each(|(_, result): &mut (_, ProbeResult)| result.compare_with(&config, last_step));
        }
        Ok(probes)
    }

    /// Writes `probes/sample.safetensors`.
    ///
    /// # Errors
    /// As [`FeatureSample::save`].
    pub fn write_feature_sample(&self, sample: &FeatureSample) -> Result<()> {
        let path = self.feature_sample_path();
        make_parent(&path)?;
        sample.save(&path)
    }

    /// Reads `probes/sample.safetensors`; `None` where there is none.
    ///
    /// # Errors
    /// As [`FeatureSample::load`].
    pub fn feature_sample(&self) -> Result<Option<FeatureSample>> {
        let path = self.feature_sample_path();
        if path.exists() { FeatureSample::load(&path).map(Some) } else { Ok(None) }
    }

    fn feature_sample_path(&self) -> PathBuf {
        self.probes_dir().join("sample.safetensors")
    }
}
