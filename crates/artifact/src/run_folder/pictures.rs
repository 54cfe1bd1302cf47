//! `figures/`: pictures, and captions that say of which picture they are.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::RunFolder;
use super::documents::{make_parent, read_if_there, read_json, write_json};
use super::layout::plain_name;
use crate::{Neighbours, Result, ViewGrid, write_atomic};

impl RunFolder {
    /// Writes `figures/<name>`, extension included.
    pub(super) fn write_figure(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.figures_dir().join(plain_name("figure", name)?);
        make_parent(&path)?;
        write_atomic(&path, bytes)
    }

    /// Reads `figures/<name>`; `None` where there is none.
    fn figure(&self, name: &str) -> Result<Option<Vec<u8>>> {
        read_if_there(&self.figures_dir().join(plain_name("figure", name)?))
    }

    /// Writes the picture of images with their views, `figures/views.png`, and its captions, `figures/views.json`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    pub fn write_views(&self, grid: &ViewGrid, png: &[u8]) -> Result<()> {
        self.write_captioned("views", grid, png)
    }

    /// The picture of views as PNG bytes, with its captions (empty ones where `views.json` is missing, or another picture's).
    ///
    /// # Errors
    /// [`Error::Json`](crate::Error::Json), [`Error::Io`](crate::Error::Io).
    pub fn views(&self) -> Result<Option<(ViewGrid, Vec<u8>)>> {
        let Some(png) = self.figure("views.png")? else {
            return Ok(None);
        };
        let grid = self.captions_of("views", &png)?.unwrap_or_default();
        Ok(Some((grid, png)))
    }

    /// Writes images with their nearest neighbours, the tiles `figures/neighbours.png` and `figures/neighbours.json`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    pub fn write_neighbours(&self, neighbours: &Neighbours, png: &[u8]) -> Result<()> {
        self.write_captioned("neighbours", neighbours, png)
    }

    /// Images with their nearest neighbours, and their tiles as PNG bytes; `None` where either is missing, or they are not of
    /// each other.
    ///
    /// # Errors
    /// [`Error::Json`](crate::Error::Json), [`Error::Io`](crate::Error::Io).
    pub fn neighbours(&self) -> Result<Option<(Neighbours, Vec<u8>)>> {
        let Some(png) = self.figure("neighbours.png")? else {
            return Ok(None);
        };
        Ok(self.captions_of("neighbours", &png)?.map(|neighbours| (neighbours, png)))
    }

    /// The picture first, then its captions: a process that is killed in between leaves captions whose picture is gone, which reading notices.
    fn write_captioned(&self, name: &str, captions: &impl Serialize, png: &[u8]) -> Result<()> {
        self.write_figure(&format!("{name}.png"), png)?;
        let captioned = Captioned { picture: Some(digest(png)), captions };
        write_json(&self.figures_dir().join(format!("{name}.json")), &captioned)
    }

    /// `None` where there are none, or of another picture. Older versions did not say of which they are.
    fn captions_of<T: DeserializeOwned>(&self, name: &str, png: &[u8]) -> Result<Option<T>> {
        let read: Option<Captioned<T>> = read_json(&self.figures_dir().join(format!("{name}.json")))?;
        Ok(read.filter(|read| read.picture.as_ref().is_none_or(|picture| *picture == digest(png))).map(|read| read.captions))
    }
}

/// What a picture shows, and which picture it is.
#[derive(Serialize, Deserialize)]
struct Captioned<T> {
    /// The first 16 digits of its SHA-256.
    #[serde(default)]
    picture: Option<String>,
    #[serde(flatten)]
    captions: T,
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
