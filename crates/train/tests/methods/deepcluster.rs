//! DeepCluster: what it learns within an epoch, and what cannot be clustered.

use crate::{SIDE, folder, shapes, some_shapes, trainer, trainer_on};
use relata_augment::Pipeline;
use relata_data::{Dataset, Image};
use relata_train::{DeepClusterConfig, Error, MethodConfig};
use std::sync::Arc;

#[test]
fn deepcluster_learns_its_clusters_within_an_epoch_and_begins_anew_in_the_next() {
    let place = tempfile::tempdir().unwrap();
    let folder = folder(place.path(), "deepcluster");
    let deepcluster = DeepClusterConfig { clusters: 6, hidden: 64 };
    let method = MethodConfig::from(deepcluster);
    let pipeline = Pipeline::evaluation(SIDE).unwrap();
    trainer_on(pipeline, &method, some_shapes(480), 2, 3).unwrap().run(&folder, &mut ()).unwrap();
    let lines: Vec<_> = folder.metrics().unwrap().iter().map(|line| serde_json::to_value(line).unwrap()).collect();
    let number = |line: usize, name: &str| lines[line][name].as_f64().unwrap();
    // 60 steps an epoch, 20 lines. An epoch begins with a last layer that says nothing: a loss of ln 6, one right in six.
    assert_eq!(lines.len(), 60);
    for epoch in 0..3 {
        let (first, last) = (20 * epoch, 20 * epoch + 19);
        let at_the_end = |name: &str| (last - 4..=last).map(|line| number(line, name)).sum::<f64>() / 5.0;
        let (start, end, accuracy) = (number(first, "loss"), at_the_end("loss"), at_the_end("cluster_acc"));
        assert!((start - 6.0_f64.ln()).abs() < 0.25 && end < 0.9 * start, "epoch {epoch}: loss {start}, then {end}");
        assert!(accuracy > 2.0 / 6.0, "epoch {epoch}: {accuracy}");
        let changed = number(first, "changed_share");
        assert_eq!(changed, number(last, "changed_share"));
        assert!(if epoch == 0 { changed == 1.0 } else { changed > 0.0 && changed < 0.9 }, "epoch {epoch}: {changed}");
    }
}

/// One image again and again.
struct Alike(Arc<dyn Dataset>);

impl Dataset for Alike {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn image(&self, _index: usize) -> relata_data::Result<Image> {
        self.0.image(0)
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }

    fn class_names(&self) -> &[String] {
        &[]
    }

    fn source(&self, index: usize) -> String {
        format!("alike {index}")
    }

    fn fingerprint(&self) -> &str {
        "alike"
    }
}

#[test]
fn images_that_cannot_be_clustered_are_an_error_that_says_so() {
    let place = tempfile::tempdir().unwrap();
    let of = |clusters| MethodConfig::from(DeepClusterConfig { clusters, ..DeepClusterConfig::default() });
    let error = trainer(&of(27), shapes(), 1, 1).err().unwrap();
    assert!(matches!(error, Error::TooManyClusters { .. }), "{error:?}");
    let mut alike = trainer(&of(4), Arc::new(Alike(shapes())), 2, 1).unwrap();
    let error = alike.run(&folder(place.path(), "alike"), &mut ()).unwrap_err();
    assert!(matches!(error, Error::OneCluster { images: 26, epoch: 1 }), "{error:?}");
}
