//! From images to features: the backbone of the tests answers with numbers that tell which image it saw.

use std::sync::Arc;

use relata_augment::Pipeline;
use relata_data::{Dataset, Image};
use relata_model::backbones::CONV4;
use relata_model::{Architecture, Backbone, Compute, Images, Mode, Network, Parameters, Result, Stem};
use relata_probe::{Error, ExtractOptions, alignment, embed, embed_two_views, extract};

/// `len` images of 5 x 7 pixels, image i grey with i in its top left corner; label i modulo 3 up to `labelled`.
struct Corners {
    len: usize,
    labelled: usize,
    names: Vec<String>,
}

impl Corners {
    fn new(len: usize, labelled: usize) -> Arc<Self> {
        let names = if labelled > 0 { vec!["a".into(), "b".into(), "c".into()] } else { vec![] };
        Arc::new(Self { len, labelled, names })
    }
}

impl Dataset for Corners {
    fn len(&self) -> usize {
        self.len
    }

    fn image(&self, index: usize) -> relata_data::Result<Image> {
        let mut rgb = vec![100; 5 * 7 * 3];
        rgb[0] = index as u8;
        Ok(Image::new(5, 7, rgb).unwrap())
    }

    fn label(&self, index: usize) -> Option<usize> {
        (index < self.labelled).then_some(index % 3)
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }

    fn source(&self, index: usize) -> String {
        format!("corner {index}")
    }

    fn fingerprint(&self) -> &str {
        "c0"
    }
}

/// Features: the mean of the image's three channels, then zeros. NaN for the image of number `broken`.
struct Means {
    architecture: Architecture,
    parameters: Parameters,
    features: Vec<f32>,
    seen: usize,
    broken: Option<usize>,
}

impl Means {
    fn new(broken: Option<usize>) -> Self {
        let architecture = Architecture::new(CONV4, Stem::Cifar);
        Self { architecture, parameters: Parameters::default(), features: vec![], seen: 0, broken }
    }
}

impl Backbone for Means {
    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn forward(&mut self, images: Images<'_>, mode: Mode) -> Result<&[f32]> {
        assert_eq!(mode, Mode::Eval);
        let (width, pixels) = (self.architecture.width, images.size.pixels());
        self.features = vec![0.0; images.rows * width];
        for (row, image) in images.data.chunks_exact(pixels * 3).enumerate() {
            for (at, value) in image.iter().enumerate() {
                self.features[row * width + at % 3] += value / pixels as f32;
            }
            if self.broken == Some(self.seen + row) {
                self.features[row * width + 2] = f32::NAN;
            }
        }
        self.seen += images.rows;
        Ok(&self.features)
    }

    fn backward(&mut self, _: &[f32]) -> Result<()> {
        unreachable!("a probe learns nothing about the backbone")
    }
}

fn quiet(_: usize, _: usize) {}

#[test]
fn every_image_has_its_features_in_the_order_of_the_data() {
    let options = ExtractOptions { batch_size: 4, workers: 2, sources: true };
    let mut heard = Vec::new();
    // The random pipeline of a training run: nothing of its randomness may be left.
    let pipeline = Pipeline::relational(6).unwrap();
    let mut hear = |done, total| heard.push((done, total));
    let features = extract(&mut Means::new(None), Corners::new(11, 11), &pipeline, &options, &mut hear).unwrap();
    assert_eq!((features.rows(), features.labels().unwrap()[10]), (11, 1));
    assert_eq!((features.class_names().len(), features.sources().unwrap()[10].as_str()), (3, "corner 10"));
    let reds: Vec<f32> = (0..11).map(|row| features.row(row)[0]).collect();
    assert!(reds.is_sorted_by(|a, b| a < b), "{reds:?}");
    assert!((0..11).all(|row| features.row(row)[1] == features.row(0)[1]));
    assert_eq!(heard, [(0, 11), (4, 11), (8, 11), (11, 11)]);
}

#[test]
fn batches_and_workers_change_no_bit() {
    let mut network = Network::new(Architecture::new(CONV4, Stem::Cifar), 3, Compute::new(2).unwrap());
    let pipeline = Pipeline::relational(32).unwrap();
    let mut run = |batch_size, workers| {
        let options = ExtractOptions { batch_size, workers, sources: false };
        extract(&mut network, Corners::new(9, 9), &pipeline, &options, &mut quiet).unwrap()
    };
    let whole = run(256, 1);
    assert_eq!(whole, run(2, 0));
    assert_eq!(whole, run(1, 2));
}

#[test]
fn two_views_belong_to_one_image_and_follow_the_seed() {
    let mut network = Network::new(Architecture::new(CONV4, Stem::Cifar), 3, Compute::new(2).unwrap());
    let (data, pipeline): (Arc<dyn Dataset>, _) = (Corners::new(10, 0), Pipeline::relational(32).unwrap());
    let mut run = |pipeline: &Pipeline, seed, batch_size| {
        let options = ExtractOptions { batch_size, workers: 1, sources: false };
        embed_two_views(&mut network, &data, pipeline, seed, 5, &options).unwrap()
    };
    let (first, second) = run(&pipeline, 1, 256);
    assert_eq!((first.rows(), second.rows()), (5, 5));
    assert!(alignment(&first, &second).unwrap() > 0.0);
    assert_eq!((first.clone(), second), run(&pipeline, 1, 3));
    assert_ne!(first, run(&pipeline, 2, 256).0);
    // Without randomness both views are the image itself, every second one of ten.
    let (first, second) = run(&pipeline.without_randomness(), 1, 4);
    assert_eq!(first, second);
    let all = embed(&mut network, data, &pipeline, &ExtractOptions::default(), &mut quiet).unwrap();
    assert!((0..5).all(|row| first.row(row) == all.row(2 * row)));
}

#[test]
fn an_image_without_a_label_is_named_before_any_work() {
    let (mut backbone, pipeline) = (Means::new(None), Pipeline::evaluation(6).unwrap());
    for labelled in [0, 7] {
        let data = Corners::new(9, labelled);
        let error = extract(&mut backbone, data, &pipeline, &ExtractOptions::default(), &mut quiet).unwrap_err();
        assert!(matches!(error, Error::Unlabelled { what } if what == format!("corner {labelled}")));
    }
    assert_eq!(backbone.seen, 0);
}

#[test]
fn images_without_labels_can_be_embedded() {
    let (mut backbone, pipeline) = (Means::new(None), Pipeline::evaluation(6).unwrap());
    let options = ExtractOptions { sources: true, ..ExtractOptions::default() };
    let mut run = |data| embed(&mut backbone, data, &pipeline, &options, &mut quiet).unwrap();
    let (bare, labelled) = (run(Corners::new(9, 0)), run(Corners::new(9, 9)));
    assert_eq!((bare.labels(), bare.sources()), (None, labelled.sources()));
    assert_eq!((bare.values(), labelled.labels().unwrap().len()), (labelled.values(), 9));
}

#[test]
fn an_image_whose_features_are_no_numbers_is_named() {
    let options = ExtractOptions { batch_size: 4, ..ExtractOptions::default() };
    let mut backbone = Means::new(Some(6));
    let pipeline = Pipeline::evaluation(6).unwrap();
    let error = extract(&mut backbone, Corners::new(20, 20), &pipeline, &options, &mut quiet).unwrap_err();
    let Error::NotFinite { row: 6, column: 2, origin: Some(origin), .. } = error else { panic!("{error:?}") };
    assert_eq!((origin.as_str(), backbone.seen), ("corner 6", 8));
}

#[test]
fn settings_that_cannot_work_come_back_from_the_loader() {
    let options = ExtractOptions { batch_size: 0, ..ExtractOptions::default() };
    let pipeline = Pipeline::evaluation(6).unwrap();
    let error = extract(&mut Means::new(None), Corners::new(3, 3), &pipeline, &options, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Images(relata_augment::Error::Setting { .. })));
    let error = extract(&mut Means::new(None), Corners::new(0, 0), &pipeline, &options, &mut quiet).unwrap_err();
    assert!(matches!(error, Error::Images(_)));
}
