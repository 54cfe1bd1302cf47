//! Views of images: batches as their loader makes them, none of one image alone, and runs that go on with the views they began with.

use crate::{Watcher, folder, last, named, row_views, trainer};
use relata_augment::{FlipConfig, LoaderConfig, OnReadError, Pipeline, PipelineConfig, ViewFormat, ViewLoader};
use relata_data::{Dataset, Shapes, ShapesOptions};
use relata_model::{Compute, ImageSize, ModelConfig};
use relata_train::{
    DeepClusterConfig, Error, IntoViewSource, MethodConfig, Outcome, RelationalConfig, Result, Setup, SourceShape, TrainConfig,
    Trainer, ViewBuffer, ViewSource,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// 26 images of 9 px, in batches of 8 with 2 views each.
fn image_setup(pipeline: Pipeline, loader: LoaderConfig) -> Setup {
    let compute = Compute::new(1).unwrap();
    Setup {
        backbone: ModelConfig::default().build(7, compute.clone()).unwrap(),
        loader: ViewLoader::new(images(), pipeline, loader).unwrap(),
        method: RelationalConfig { hidden: 24, ..RelationalConfig::default() }.into(),
        config: TrainConfig { epochs: 2, ..TrainConfig::default() },
        seed: 7,
        compute,
        info: Default::default(),
    }
}

fn image_trainer(pipeline: Pipeline, loader: LoaderConfig) -> Trainer {
    Trainer::new(image_setup(pipeline, loader)).unwrap()
}

fn images() -> Arc<dyn Dataset> {
    Arc::new(Shapes::new(ShapesOptions { train_images: 26, side_px: 9, ..ShapesOptions::default() }).unwrap())
}

const LOADER: LoaderConfig = LoaderConfig {
    batch_size: 8,
    views: 2,
    workers: 0,
    prefetch: 1,
    seed: 7,
    shuffle: true,
    drop_single: true,
    on_read_error: OnReadError::Fail,
};

fn relational() -> Pipeline {
    Pipeline::relational(9).unwrap()
}

#[test]
fn a_run_is_not_taken_up_again_with_other_views_of_its_images() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "run");
    let mut observer = Watcher { stop_at: Some(2), ..Watcher::default() };
    image_trainer(relational(), LOADER).run(&run, &mut observer).unwrap();
    let no_flip = PipelineConfig { flip: FlipConfig { p: 0.0 }, ..PipelineConfig::default() };
    let others = [
        ("pipeline", Pipeline::new(&no_flip, ViewFormat::plain(9)).unwrap(), LOADER),
        (
            "normalisation",
            Pipeline::new(&PipelineConfig::default(), ViewFormat { side_px: 9, mean: [0.5; 3], std: [0.5; 3] }).unwrap(),
            LOADER,
        ),
        ("views", relational(), LoaderConfig { views: 3, ..LOADER }),
        ("batch size", relational(), LoaderConfig { batch_size: 13, ..LOADER }),
        ("seed", relational(), LoaderConfig { seed: 8, ..LOADER }),
        ("order", relational(), LoaderConfig { shuffle: false, ..LOADER }),
    ];
    for (what, pipeline, loader) in others {
        let resumed = image_trainer(pipeline, loader).resume(&run);
        assert!(matches!(resumed, Err(Error::Checkpoint { .. })), "another {what}: {resumed:?}");
    }
    // What changes no batch, or only whether a broken image ends the run.
    let alike = LoaderConfig { workers: 2, prefetch: 5, on_read_error: OnReadError::Skip, ..LOADER };
    assert!(image_trainer(relational(), alike).resume(&run).unwrap());
}

#[test]
fn a_checkpoint_that_names_its_images_alone_is_taken_up() {
    let place = tempfile::tempdir().unwrap();
    let run = folder(place.path(), "run");
    let mut observer = Watcher { stop_at: Some(2), ..Watcher::default() };
    image_trainer(relational(), LOADER).run(&run, &mut observer).unwrap();
    let mut checkpoint = last(&run);
    // Another digest of the same views would refuse every run so far.
    assert_eq!(checkpoint.metadata["train.views"], format!("{}-5e8aff5877dc6593", images().fingerprint()));
    checkpoint.metadata.insert("train.views".to_owned(), images().fingerprint().to_owned());
    checkpoint.save(&run.checkpoint_path("last").unwrap()).unwrap();
    let mut resumed = image_trainer(relational(), LOADER);
    assert!(resumed.resume(&run).unwrap());
    assert_eq!(resumed.run(&run, &mut ()).unwrap(), Outcome::Finished { step: 8 });

    checkpoint.metadata.insert("train.views".to_owned(), "another data set".to_owned());
    checkpoint.save(&run.checkpoint_path("last").unwrap()).unwrap();
    assert!(matches!(image_trainer(relational(), LOADER).resume(&run), Err(Error::Checkpoint { .. })));
}

/// A source that does not know what its smallest batch holds.
struct Unknowing(Box<dyn ViewSource>);

impl ViewSource for Unknowing {
    fn shape(&self) -> SourceShape {
        self.0.shape()
    }

    fn batches_per_epoch(&self) -> usize {
        self.0.batches_per_epoch()
    }

    fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }

    fn fill(&mut self, epoch: u32, from: usize, batch: &mut ViewBuffer) -> Result<bool> {
        self.0.fill(epoch, from, batch)
    }

    fn plain(&self) -> Result<Box<dyn ViewSource>> {
        self.0.plain()
    }
}

#[test]
fn a_batch_of_one_image_is_looked_at_but_never_trained_on() {
    let place = tempfile::tempdir().unwrap();
    let keeps_single = |batch_size| LoaderConfig { batch_size, drop_single: false, ..LOADER };
    let of_one = Trainer::new(image_setup(relational(), keeps_single(1))).err();
    assert!(matches!(of_one, Some(Error::Size { .. })), "{of_one:?}");
    // 26 images in batches of 5: the last is alone, for any method.
    for name in ["relational", "simclr", "deepinfomax", "rotation"] {
        let method = named(name);
        let refused = Trainer::new(Setup { method: method.clone(), ..image_setup(relational(), keeps_single(5)) }).err();
        let Some(Error::Size { what, expected, got }) = refused else { panic!("{name}: {refused:?}") };
        assert_eq!((what, &got[..]), ("images in the last batch of the views' source", "1"));
        assert!(expected.contains("drop_single"), "{expected}");
        // Where it is not known before, it ends the run.
        let loader = ViewLoader::new(images(), relational(), keeps_single(5)).unwrap();
        let Setup { backbone, config, seed, compute, info, .. } = image_setup(relational(), LOADER);
        let unknowing = Unknowing(loader.into_view_source());
        let setup = Setup { backbone, loader: unknowing, method, config, seed, compute, info };
        let outcome = Trainer::new(setup).unwrap().run(&folder(place.path(), name), &mut ());
        let Err(Error::Size { what, got, .. }) = outcome else { panic!("{name}: {outcome:?}") };
        assert_eq!((what, &got[..]), ("images in a batch of the views' source", "1"));
    }
    // DeepCluster looks at 25 rows in batches of 3 x 8, the last alone.
    let deepcluster = DeepClusterConfig { clusters: 2, hidden: 12 };
    let method = MethodConfig::from(deepcluster);
    let outcome = trainer(method, row_views(25), 1).unwrap().run(&folder(place.path(), "plain"), &mut ());
    assert_eq!(outcome.unwrap(), Outcome::Finished { step: 4 * 3 });
}

#[test]
fn images_come_as_their_loader_gives_them_in_as_few_buffers() {
    let data = Arc::new(Shapes::new(ShapesOptions { train_images: 41, side_px: 9, ..ShapesOptions::default() }).unwrap());
    let config = LoaderConfig { batch_size: 4, views: 2, workers: 1, prefetch: 2, seed: 3, ..LoaderConfig::default() };
    // Apart, for clones of a loader share their buffers.
    let new = || ViewLoader::new(data.clone(), Pipeline::relational(9).unwrap(), config.clone()).unwrap();
    let (loader, mut source) = (new(), new().into_view_source());
    assert_eq!(source.shape(), SourceShape { images: 41, classes: 10, batch_size: 4, views: 2, size: ImageSize::square_rgb(9) });
    let (mut batch, mut buffers) = (ViewBuffer::default(), BTreeSet::new());
    for epoch in 0..3 {
        let mut from = 0;
        for expected in loader.epoch(epoch) {
            let expected = expected.unwrap();
            assert!(source.fill(epoch, from, &mut batch).unwrap());
            assert_eq!((batch.index, &batch.images, &batch.rows), (expected.index, &expected.images, &expected.rows));
            buffers.insert(batch.rows.as_ptr() as usize);
            from = batch.index + 1;
        }
        assert!(!source.fill(epoch, from, &mut batch).unwrap());
        assert_eq!(batch.left_out.drain(..).map(|left_out| left_out.images).sum::<usize>(), 1, "41 = 10 · 4 + 1");
    }
    assert!(buffers.len() <= 3, "{} buffers; two ahead and the one in use are three", buffers.len());
    // Requested again, or in the middle of an epoch.
    for (epoch, from) in [(1, 6), (1, 6), (0, 2)] {
        let expected = loader.epoch_from(epoch, from).next().unwrap().unwrap();
        assert!(source.fill(epoch, from, &mut batch).unwrap());
        assert_eq!((batch.index, &batch.rows), (from, &expected.rows));
    }
}
