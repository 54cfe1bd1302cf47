use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use relata_data::{Dataset, Image};

use super::{LoaderConfig, OnReadError, ViewLoader};
use crate::{Batch, Error, Pipeline, ViewKey};

const SIDE: usize = 6;

/// Images of 5 x 7 that hold their own number; some cannot be read, one panics, each takes its time.
struct Numbered {
    len: usize,
    bad: Vec<usize>,
    panics: Option<usize>,
    delay: Duration,
    reads: AtomicUsize,
}

fn numbered(len: usize) -> Numbered {
    Numbered { len, bad: Vec::new(), panics: None, delay: Duration::ZERO, reads: AtomicUsize::new(0) }
}

fn image(number: usize) -> Image {
    let bytes = (0..5 * 7 * 3).map(|i| (i * 7 + number * 31) as u8).collect();
    Image::new(5, 7, bytes).expect("the sides fit the bytes")
}

impl Dataset for Numbered {
    fn len(&self) -> usize {
        self.len
    }

    fn image(&self, index: usize) -> relata_data::Result<Image> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.delay);
        assert!(self.panics != Some(index), "image {index} is cursed");
        if self.bad.contains(&index) {
            return Err(relata_data::Error::BrokenImage { path: self.source(index).into(), reason: "cut short".to_owned() });
        }
        Ok(image(index))
    }

    fn label(&self, _: usize) -> Option<usize> {
        None
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn source(&self, index: usize) -> String {
        format!("record {index}")
    }

    fn fingerprint(&self) -> &str {
        ""
    }
}

fn loader(dataset: Numbered, config: LoaderConfig) -> ViewLoader {
    ViewLoader::new(Arc::new(dataset), Pipeline::relational(SIDE).expect("a side"), config).expect("valid settings")
}

fn config() -> LoaderConfig {
    LoaderConfig { batch_size: 4, views: 3, seed: 7, ..LoaderConfig::default() }
}

/// All that a batch says, to be compared.
fn content(batch: &Batch) -> (usize, Vec<usize>, Vec<f32>) {
    (batch.index, batch.images.clone(), batch.rows.clone())
}

fn contents(loader: &ViewLoader, epoch: u32, first: usize) -> Vec<(usize, Vec<usize>, Vec<f32>)> {
    loader.epoch_from(epoch, first).map(|batch| content(&batch.expect("a batch"))).collect()
}

#[test]
fn rows_are_the_pipelines_views_view_major() {
    let loader = loader(numbered(10), config());
    let mut seen = HashSet::new();
    for batch in loader.epoch(2) {
        let batch = batch.expect("a batch");
        assert_eq!(batch.rows.len(), 3 * batch.size() * SIDE * SIDE * 3);
        for (b, &number) in batch.images.iter().enumerate() {
            assert!(seen.insert(number));
            for k in 0..3 {
                let key = ViewKey { seed: 7, epoch: 2, image: number as u64, view: k as u32 };
                let expected = loader.pipeline().view(&image(number), key);
                assert_eq!(batch.row(k, b), expected);
                assert_eq!(&batch.rows[(k * batch.size() + b) * batch.row_len()..][..batch.row_len()], expected);
            }
        }
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn any_number_of_workers_gives_the_same_bits() {
    let alone = contents(&loader(numbered(23), LoaderConfig { workers: 0, ..config() }), 1, 0);
    assert_eq!(alone.len(), 6);
    for (workers, prefetch) in [(1, 0), (1, 3), (2, 1), (3, 7), (5, 5), (16, 2)] {
        let several = loader(numbered(23), LoaderConfig { workers, prefetch, ..config() });
        assert!(contents(&several, 1, 0) == alone, "{workers} workers, {prefetch} ahead");
    }
}

#[test]
fn a_resumed_epoch_is_the_tail_of_the_whole() {
    for workers in [0, 2] {
        let loader = loader(numbered(23), LoaderConfig { workers, ..config() });
        let whole = contents(&loader, 3, 0);
        for first in 0..=7 {
            assert!(contents(&loader, 3, first) == whole[first.min(whole.len())..]);
        }
    }
}

#[test]
fn epochs_differ_in_order_and_views() {
    let loader = loader(numbered(23), config());
    let (one, other) = (contents(&loader, 0, 0), contents(&loader, 1, 0));
    assert_ne!(one[0].1, other[0].1);
    assert_eq!(contents(&loader, 0, 0), one);
}

#[test]
fn buffers_are_used_again() {
    let loader = loader(numbered(16), LoaderConfig { workers: 0, ..config() });
    let first = loader.epoch(0).next().expect("a batch").expect("a batch").rows.as_ptr();
    assert!(loader.epoch(1).all(|batch| batch.expect("a batch").rows.as_ptr() == first));
}

#[test]
fn no_more_batches_are_made_ahead_than_asked_for() {
    let dataset = Arc::new(numbered(400));
    let config = LoaderConfig { workers: 2, prefetch: 4, views: 1, ..config() };
    let loader =
        ViewLoader::new(Arc::clone(&dataset) as _, Pipeline::relational(SIDE).expect("a side"), config).expect("valid settings");
    let mut epoch = loader.epoch(0);
    let batch = epoch.next().expect("a batch").expect("a batch");
    // Some are made while the consumer holds its own.
    let start = Instant::now();
    while dataset.reads.load(Ordering::Relaxed) <= 4 {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing is made ahead");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    // Four ahead and the consumer's own, four images each.
    assert!(dataset.reads.load(Ordering::Relaxed) <= 5 * 4);
    drop((batch, epoch));
}

#[test]
fn a_tail_of_one_image_is_dropped_and_reported() {
    let dropping = loader(numbered(9), LoaderConfig { shuffle: false, ..config() });
    assert_eq!(dropping.batches_per_epoch(), 2);
    let mut epoch = dropping.epoch(0);
    assert_eq!(epoch.by_ref().count(), 2);
    assert_eq!((epoch.dropped()[0].index, epoch.dropped()[0].images.as_slice()), (2, [8].as_slice()));

    let keeping = loader(numbered(9), LoaderConfig { shuffle: false, drop_single: false, ..config() });
    assert_eq!(keeping.batches_per_epoch(), 3);
    let mut epoch = keeping.epoch(0);
    assert_eq!(epoch.by_ref().last().expect("a batch").expect("a batch").images, [8]);
    assert!(epoch.dropped().is_empty());
}

#[test]
fn a_training_loader_s_evaluation_shows_the_same_images_whole_and_in_order() {
    let config = LoaderConfig { batch_size: 2, views: 2, workers: 2, seed: 3, ..LoaderConfig::default() };
    let dataset: Arc<dyn Dataset> = Arc::new(numbered(9));
    let training =
        ViewLoader::new(Arc::clone(&dataset), Pipeline::relational(SIDE).expect("a side"), config).expect("valid settings");
    let pass = training.evaluation().expect("valid settings");
    let whole = Pipeline::relational(SIDE).expect("a side").without_randomness();
    let plain = ViewLoader::new(dataset, whole, LoaderConfig::evaluation(9)).expect("valid settings");
    let expected = plain.epoch(0).next().expect("a batch").expect("readable");
    let batches: Vec<_> = pass.epoch(0).map(|batch| batch.expect("readable")).collect();
    assert_eq!(batches.iter().map(|batch| batch.size()).collect::<Vec<_>>(), [4, 4, 1]);
    let rows: Vec<f32> = batches.iter().flat_map(|batch| batch.rows.iter().copied()).collect();
    let images: Vec<usize> = batches.iter().flat_map(|batch| batch.images.iter().copied()).collect();
    assert!(rows == expected.rows && images == expected.images);
}

#[test]
fn an_evaluation_pass_shows_every_image_in_order_and_untouched() {
    let pipeline = Pipeline::evaluation(SIDE).expect("a side");
    let loader = ViewLoader::new(Arc::new(numbered(9)), pipeline, LoaderConfig::evaluation(4)).expect("valid settings");
    let batches: Vec<Batch> = loader.epoch(0).map(|batch| batch.expect("a batch")).collect();
    assert!(batches.iter().flat_map(|batch| &batch.images).copied().eq(0..9));
    for batch in &batches {
        for (b, &number) in batch.images.iter().enumerate() {
            assert_eq!(batch.row(0, b), loader.pipeline().view(&image(number), ViewKey { seed: 99, ..ViewKey::default() }));
        }
    }
}

#[test]
fn a_bad_image_ends_the_epoch_with_its_name() {
    for workers in [0, 1, 3] {
        let loader = loader(Numbered { bad: vec![5], ..numbered(16) }, LoaderConfig { workers, shuffle: false, ..config() });
        let mut epoch = loader.epoch(0);
        assert!(epoch.next().expect("a batch").is_ok());
        let Some(Err(Error::Image { index: 5, origin, .. })) = epoch.next() else { panic!("no error") };
        assert_eq!(origin, "record 5");
        assert!(epoch.next().is_none() && epoch.next().is_none());
    }
}

#[test]
fn skipped_images_leave_the_others_rows_as_they_were() {
    let clean = loader(numbered(8), LoaderConfig { shuffle: false, ..config() });
    let skipping = LoaderConfig { shuffle: false, on_read_error: OnReadError::Skip, ..config() };
    let loader = loader(Numbered { bad: vec![0, 2], ..numbered(8) }, skipping);
    let whole = clean.epoch(0).next().expect("a batch").expect("a batch");
    let fewer = loader.epoch(0).next().expect("a batch").expect("a batch");
    assert_eq!((fewer.images.as_slice(), fewer.size()), ([1, 3].as_slice(), 2));
    assert_eq!(fewer.rows.len(), 3 * 2 * fewer.row_len());
    for k in 0..3 {
        assert_eq!(fewer.row(k, 0), whole.row(k, 1));
        assert_eq!(fewer.row(k, 1), whole.row(k, 3));
    }
    let skipped: Vec<_> = fewer.skipped.iter().map(|s| (s.image, s.origin.as_str(), s.reason.contains("cut short"))).collect();
    assert_eq!(skipped, [(0, "record 0", true), (2, "record 2", true)]);
}

#[test]
fn a_batch_left_with_one_image_is_dropped_and_the_rest_goes_on() {
    for workers in [0, 2] {
        let config = LoaderConfig { shuffle: false, workers, on_read_error: OnReadError::Skip, ..config() };
        let loader = loader(Numbered { bad: vec![4, 5, 7, 8, 9, 10, 11], ..numbered(16) }, config);
        let mut epoch = loader.epoch(0);
        let delivered: Vec<usize> = epoch.by_ref().map(|batch| batch.expect("a batch").index).collect();
        assert_eq!(delivered, [0, 3]);
        let dropped: Vec<_> = epoch.dropped().iter().map(|d| (d.index, d.images.clone(), d.skipped.len())).collect();
        assert_eq!(dropped, [(1, vec![6], 3), (2, vec![], 4)]);
    }
}

#[test]
fn a_panic_becomes_an_error() {
    for workers in [0, 1, 3] {
        let loader = loader(Numbered { panics: Some(6), ..numbered(16) }, LoaderConfig { workers, shuffle: false, ..config() });
        let mut epoch = loader.epoch(0);
        assert!(epoch.next().expect("a batch").is_ok());
        let Some(Err(Error::WorkerPanic { batch: 1, message })) = epoch.next() else { panic!("no error") };
        assert!(message.contains("cursed"));
        assert!(epoch.next().is_none());
    }
}

#[test]
fn an_epoch_left_early_stops_its_workers() {
    // All 4,000 images would take 20 s a worker.
    let dataset = Arc::new(Numbered { delay: Duration::from_millis(10), ..numbered(4000) });
    let config = LoaderConfig { workers: 2, prefetch: 8, ..config() };
    let loader =
        ViewLoader::new(Arc::clone(&dataset) as _, Pipeline::relational(SIDE).expect("a side"), config).expect("valid settings");
    for taken in [0, 1, 3] {
        let mut epoch = loader.epoch(0);
        assert_eq!(epoch.by_ref().take(taken).count(), taken);
        let start = Instant::now();
        drop(epoch);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    let reads = dataset.reads.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(dataset.reads.load(Ordering::Relaxed), reads, "nobody works any more");
}

#[test]
fn batches_outlive_their_epoch_and_their_loader() {
    let batches: Vec<Batch> = loader(numbered(8), config()).epoch(0).map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.len(), 2);
    assert_eq!(batches.into_iter().map(Batch::into_rows).map(|rows| rows.len()).sum::<usize>(), 8 * 3 * SIDE * SIDE * 3);
}

#[test]
fn wrong_settings_are_named() {
    let key = |len, config| match ViewLoader::new(Arc::new(numbered(len)), Pipeline::relational(SIDE).expect("a side"), config) {
        Err(Error::Setting { key, .. }) => key,
        Err(Error::EmptyDataset) => "empty",
        other => panic!("{other:?}"),
    };
    assert_eq!(key(9, LoaderConfig { batch_size: 0, drop_single: false, ..config() }), "batch_size");
    assert_eq!(key(9, LoaderConfig { batch_size: 1, ..config() }), "batch_size");
    assert_eq!(key(9, LoaderConfig { batch_size: usize::MAX / 8, ..config() }), "batch_size");
    assert_eq!(key(9, LoaderConfig { views: 0, ..config() }), "views");
    assert_eq!(key(9, LoaderConfig { workers: 5000, ..config() }), "workers");
    assert_eq!(key(9, LoaderConfig { prefetch: 1025, ..config() }), "prefetch");
    assert_eq!(key(0, config()), "empty");
}

#[test]
fn the_bound_on_memory_counts_batches_in_flight_and_scratch() {
    let config = LoaderConfig { batch_size: 64, views: 32, workers: 2, prefetch: 3, ..LoaderConfig::default() };
    let batch = 64 * 32 * 32 * 32 * 3 * 4;
    // Three ahead become four, two a worker; one is the consumer's.
    let scratch = config.bytes(32) - 5 * batch;
    assert!((1..200_000).contains(&scratch), "{scratch}");
    assert_eq!(LoaderConfig { workers: 0, ..config.clone() }.bytes(32), batch + scratch / 2);
    let beyond = LoaderConfig { batch_size: 1 << 60, ..config };
    assert_eq!((beyond.bytes(32), beyond.to_evaluation().batch_size), (usize::MAX, usize::MAX));
}
