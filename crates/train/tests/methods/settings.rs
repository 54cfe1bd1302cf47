//! Settings outside their range.

use crate::{SIDE, methods, named};
use relata_model::{Buffers, Compute, ImageSize, Layout};
use relata_train::{
    BarlowConfig, ByolConfig, DeepClusterConfig, DeepInfoMaxConfig, Error, HeadShape, MethodConfig, RelationalConfig,
    SimclrConfig, SupervisedConfig,
};

#[test]
fn settings_outside_their_range_are_named() {
    let (twins, latent) = (BarlowConfig::default, ByolConfig::default);
    let (contrast, labels, places) = (SimclrConfig::default, SupervisedConfig::default, DeepInfoMaxConfig::default);
    let pairs = RelationalConfig::default;
    let cases: [(MethodConfig, usize, &str); 30] = [
        (contrast().into(), 1, "augment.views"),
        (SimclrConfig { temperature: 0.0, ..contrast() }.into(), 2, "method.simclr.temperature"),
        (SimclrConfig { temperature: f64::NAN, ..contrast() }.into(), 2, "method.simclr.temperature"),
        (SimclrConfig { hidden: 0, ..contrast() }.into(), 2, "method.simclr.hidden"),
        (SimclrConfig { output: 0, ..contrast() }.into(), 2, "method.simclr.output"),
        (twins().into(), 1, "augment.views"),
        (BarlowConfig { redundancy: f64::NAN, ..twins() }.into(), 2, "method.barlow.redundancy"),
        (BarlowConfig { redundancy: -0.1, ..twins() }.into(), 2, "method.barlow.redundancy"),
        (BarlowConfig { hidden: 0, ..twins() }.into(), 2, "method.barlow.hidden"),
        (BarlowConfig { output: 0, ..twins() }.into(), 2, "method.barlow.output"),
        (latent().into(), 1, "augment.views"),
        (ByolConfig { momentum: f64::NAN, ..latent() }.into(), 2, "method.byol.momentum"),
        (ByolConfig { momentum: 1.01, ..latent() }.into(), 2, "method.byol.momentum"),
        (ByolConfig { hidden: 0, ..latent() }.into(), 2, "method.byol.hidden"),
        (ByolConfig { output: 0, ..latent() }.into(), 2, "method.byol.output"),
        (DeepClusterConfig { clusters: 1, ..DeepClusterConfig::default() }.into(), 1, "method.deepcluster.clusters"),
        (DeepClusterConfig { clusters: 1 << 25, ..DeepClusterConfig::default() }.into(), 1, "method.deepcluster.clusters"),
        (DeepClusterConfig { hidden: 0, ..DeepClusterConfig::default() }.into(), 1, "method.deepcluster.hidden"),
        (DeepInfoMaxConfig { local: -1.0, ..places() }.into(), 1, "method.deepinfomax.local"),
        (DeepInfoMaxConfig { prior: f64::INFINITY, ..places() }.into(), 1, "method.deepinfomax.prior"),
        (DeepInfoMaxConfig { hidden: 0, ..places() }.into(), 1, "method.deepinfomax.hidden"),
        (SupervisedConfig { lr: 0.0, ..labels() }.into(), 1, "method.supervised.lr"),
        (SupervisedConfig { momentum: 1.0, ..labels() }.into(), 1, "method.supervised.momentum"),
        (MethodConfig::default(), 1, "augment.views"),
        (SimclrConfig { output: 1 << 62, ..contrast() }.into(), 2, "method.simclr.output"),
        (RelationalConfig { hidden: 65537, ..pairs() }.into(), 2, "method.relational.hidden"),
        (RelationalConfig { layers: 0, ..pairs() }.into(), 2, "method.relational.layers"),
        (RelationalConfig { layers: 5, ..pairs() }.into(), 2, "method.relational.layers"),
        (RelationalConfig { shifts: 0, ..pairs() }.into(), 2, "method.relational.shifts"),
        (RelationalConfig { shifts: 1 << 62, ..pairs() }.into(), 2, "method.relational.shifts"),
    ];
    for (config, views, wanted) in cases {
        let error = config.spec().validate(views).unwrap_err();
        assert!(matches!(&error, Error::Setting { key, .. } if *key == wanted), "{wanted}: {error:?}");
    }
    for (method, ..) in methods() {
        method.spec().validate(2).unwrap();
    }
    for name in ["deepcluster", "deepinfomax", "rotation", "supervised", "random"] {
        named(name).spec().validate(1).unwrap();
    }
}

/// What the memory plan and `--dry-run` are made of.
#[test]
fn what_is_counted_of_a_method_is_what_it_takes() {
    let size = ImageSize::square_rgb(SIDE);
    let first_map = Layout::dense(SIDE, SIDE, 8);
    let shape = HeadShape { width: 64, views: 3, max_images: 8, images: 26, classes: 4, size, first_map };
    for (method, ..) in methods() {
        let name = method.entry().name;
        let build = |mut buffers: Buffers| {
            let built = method.spec().build(shape, 1, Compute::new(1).unwrap(), &mut buffers).unwrap();
            (built.parameters().len(), buffers.bytes(), built.parameters().values().len())
        };
        let ((counted, bytes, none), (trained, taken, values)) = (build(Buffers::counted()), build(Buffers::allocated()));
        assert_eq!((counted, bytes, none), (trained, taken, 0), "{name}");
        assert_eq!(values, trained, "{name}");
        assert_eq!(bytes > 0, method.spec().needs().steps, "{name}");
    }
}
