//! What a run's checkpoint says of it where its configuration is silent, as that of a method from elsewhere is.

use relata_artifact::{RunFolder, read_checkpoint_metadata};

use crate::Result;
use crate::headline::Facts;

/// Where the trainer writes what the method's head and the backbone's architecture are called.
const HEAD: &str = "train.head";
const ARCHITECTURE: &str = "train.architecture";
const NEWEST: &str = "last";

/// Fills in the names of method and backbone that `facts` lack.
///
/// # Errors
/// A checkpoint that is there but cannot be read.
pub(crate) fn fill_in(facts: &mut Facts, run: &RunFolder) -> Result<()> {
    if facts.method.is_some() && facts.backbone.is_some() {
        return Ok(());
    }
    let path = run.checkpoint_path(NEWEST)?;
    if !path.is_file() {
        return Ok(());
    }
    let mut metadata = read_checkpoint_metadata(&path)?;
    for (fact, key) in [(&mut facts.method, HEAD), (&mut facts.backbone, ARCHITECTURE)] {
        if fact.is_none() {
            *fact = metadata.remove(key).filter(|name| !name.is_empty());
        }
    }
    Ok(())
}
