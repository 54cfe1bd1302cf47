//! Images beside those that their features are nearest to.

use relata_artifact::{Neighbour, NeighbourRow, Neighbours};
use relata_augment::{Pipeline, PipelineConfig, ViewFormat, ViewKey};
use relata_data::Dataset;
use relata_model::Compute;
use relata_probe::{Features, nearest};

use crate::Result;

/// Larger tiles would make the report heavy, not clearer.
const MAX_TILE_PX: usize = 96;

/// Images, with the features of each.
pub(crate) struct Embedded<'a> {
    pub(crate) dataset: &'a dyn Dataset,
    pub(crate) features: &'a Features,
    /// `cifar10, test split`
    pub(crate) words: String,
}

/// What was found, and a tile for each image of it, row by row: `[side, side, 3]` in [0, 1].
pub(crate) struct Found {
    pub(crate) record: Neighbours,
    pub(crate) tiles: Vec<Vec<f32>>,
}

/// For each of `asking` (rows of `asked`) its `count` nearest among `searched`, itself left out where the two overlap: the same image has
/// the same source, whatever the split that it was opened in.
pub(crate) fn search(
    asked: &Embedded<'_>,
    asking: &[usize],
    searched: &Embedded<'_>,
    count: usize,
    side_px: usize,
    compute: &Compute,
) -> Result<Found> {
    let rows = asking.iter().flat_map(|&row| asked.features.row(row)).copied().collect();
    let queries = Features::unlabelled(rows, asked.features.width())?;
    // One more, in case the image finds itself.
    let found = nearest(&queries, searched.features, count + 1, compute)?;
    let tile_px = side_px.min(MAX_TILE_PX);
    // Normalised by nothing: values in [0, 1] are what an eye wants.
    let pipeline = Pipeline::new(&PipelineConfig::evaluation(), ViewFormat::plain(tile_px))?.without_randomness();
    let tile = |dataset: &dyn Dataset, row: usize| -> Result<Vec<f32>> {
        let key = ViewKey { seed: 0, epoch: 0, image: row as u64, view: 0 };
        Ok(pipeline.view(&dataset.image(row)?, key))
    };
    let (mut tiles, mut records) = (Vec::new(), Vec::<NeighbourRow>::new());
    for (&row, mut found) in asking.iter().zip(found) {
        let itself = asked.dataset.source(row);
        found.retain(|neighbour| searched.dataset.source(neighbour.row) != itself);
        found.truncate(count);
        tiles.push(tile(asked.dataset, row)?);
        for neighbour in &found {
            tiles.push(tile(searched.dataset, neighbour.row)?);
        }
        let neighbour = |found: &relata_probe::Neighbour| Neighbour {
            image: name(searched.dataset, found.row),
            class: class(searched.dataset, found.row),
            similarity: f64::from(found.similarity),
        };
        records.push(NeighbourRow {
            image: name(asked.dataset, row),
            class: class(asked.dataset, row),
            found: found.iter().map(neighbour).collect(),
        });
    }
    let columns = 1 + records.iter().map(|row| row.found.len()).max().unwrap_or(0);
    let record = Neighbours { tile_px, columns, queries: asked.words.clone(), searched: searched.words.clone(), rows: records };
    Ok(Found { record, tiles })
}

/// Where an image comes from, without the folders: those are this machine's, and the class stands for itself.
fn name(dataset: &dyn Dataset, row: usize) -> String {
    let source = dataset.source(row);
    let name = source.rsplit(['/', '\\']).next().unwrap_or_default();
    let class = class(dataset, row).map(|class| format!(" ({class})"));
    class.and_then(|class| name.strip_suffix(&class)).unwrap_or(name).to_owned()
}

fn class(dataset: &dyn Dataset, row: usize) -> Option<String> {
    dataset.class_names().get(dataset.label(row)?).cloned()
}

/// At most `most` images: spread over the classes where all images have labels, over the data set where not.
pub(crate) fn examples(dataset: &dyn Dataset, most: usize) -> Vec<usize> {
    let (len, classes) = (dataset.len(), dataset.class_names().len());
    let mut of_class = vec![Vec::new(); classes];
    for row in 0..len {
        match dataset.label(row).and_then(|label| of_class.get_mut(label)) {
            Some(rows) if rows.len() < most => rows.push(row),
            Some(_) => {}
            None => return (0..most.min(len)).map(|i| i * len / most.min(len)).collect(),
        }
    }
    let mut chosen = Vec::new();
    for i in 0..most {
        let (class, turn) = if classes >= most { (i * classes / most, 0) } else { (i % classes, i / classes) };
        chosen.extend(of_class[class].get(turn));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use relata_data::{DataConfig, Split};

    use super::*;

    #[test]
    fn examples_are_spread_over_the_classes() {
        let shapes = relata_data::open(&DataConfig::default(), Split::Test).unwrap();
        let classes = |most| {
            let labels = examples(&*shapes, most).into_iter().map(|row| shapes.label(row).unwrap());
            labels.collect::<Vec<_>>()
        };
        assert_eq!(classes(5), [0, 2, 4, 6, 8]);
        assert_eq!(classes(12), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        let mut rows = examples(&*shapes, 12);
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 12, "no image twice");
    }

    #[test]
    fn an_image_does_not_find_itself() {
        let shapes = relata_data::open(&DataConfig { limit: 4, ..DataConfig::default() }, Split::Test).unwrap();
        let features = Features::unlabelled(vec![1.0, 0.0, 1.0, 0.1, 1.0, 0.3, 0.0, 1.0], 2).unwrap();
        let embedded = Embedded { dataset: &*shapes, features: &features, words: "shapes, test split".into() };
        let compute = Compute::new(1).unwrap();
        let found = search(&embedded, &[1, 3], &embedded, 2, 32, &compute).unwrap();
        assert_eq!((found.record.columns, found.tiles.len(), found.tiles[0].len()), (3, 6, 32 * 32 * 3));
        let images = |row: &NeighbourRow| row.found.iter().map(|found| found.image.clone()).collect::<Vec<_>>();
        let names = |rows: [usize; 2]| rows.map(|row| name(&*shapes, row));
        assert_eq!(images(&found.record.rows[0]), names([0, 2]));
        assert_eq!(images(&found.record.rows[1]), names([2, 1]));
    }

    #[test]
    fn an_image_does_not_find_itself_in_another_split() {
        let open = |split| relata_data::open(&DataConfig { limit: 4, ..DataConfig::default() }, split).unwrap();
        let (bare, train) = (open(Split::Unlabelled), open(Split::Train));
        let features = Features::unlabelled(vec![1.0, 0.0, 1.0, 0.1, 1.0, 0.3, 0.0, 1.0], 2).unwrap();
        let embedded = |dataset| Embedded { dataset, features: &features, words: String::new() };
        let (asked, searched) = (embedded(&*bare), embedded(&*train));
        let found = search(&asked, &[0, 1, 2, 3], &searched, 8, 32, &Compute::new(1).unwrap()).unwrap();
        for row in &found.record.rows {
            assert!(row.found.len() == 3 && row.found.iter().all(|found| found.image != row.image), "{row:?}");
        }
    }

    #[test]
    fn a_name_holds_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        image::RgbImage::new(5, 7).save(folder.path().join("holiday (cat).png")).unwrap();
        let config = DataConfig { dataset: "folder".into(), path: folder.path().to_owned(), ..DataConfig::default() };
        let photos = relata_data::open(&config, Split::Unlabelled).unwrap();
        assert_eq!(name(&*photos, 0), "holiday (cat).png");
    }
}
