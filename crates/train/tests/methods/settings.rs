//! Settings outside their range.

use crate::{folder, methods, run};
use relata_model::{Aggregation, Layout};
use relata_train::{
    BarlowConfig, ByolConfig, DeepClusterConfig, DeepInfoMaxConfig, Error, HeadShape, MethodConfig, MethodKind, SimclrConfig,
    SupervisedConfig,
};

#[test]
fn settings_outside_their_range_are_named() {
    let simclr = |simclr| MethodConfig { kind: MethodKind::Simclr, simclr, ..MethodConfig::default() };
    let supervised = |supervised| MethodConfig { kind: MethodKind::Supervised, supervised, ..MethodConfig::default() };
    let barlow = |barlow| MethodConfig { kind: MethodKind::Barlow, barlow, ..MethodConfig::default() };
    let byol = |byol| MethodConfig { kind: MethodKind::Byol, byol, ..MethodConfig::default() };
    let (twins, latent) = (BarlowConfig::default, ByolConfig::default);
    let clusters = |deepcluster| MethodConfig { kind: MethodKind::DeepCluster, deepcluster, ..MethodConfig::default() };
    let infomax = |deepinfomax| MethodConfig { kind: MethodKind::DeepInfoMax, deepinfomax, ..MethodConfig::default() };
    let (contrast, labels, places) = (SimclrConfig::default, SupervisedConfig::default, DeepInfoMaxConfig::default);
    let cases = [
        (simclr(contrast()), 1, "augment.views"),
        (simclr(SimclrConfig { temperature: 0.0, ..contrast() }), 2, "method.simclr.temperature"),
        (simclr(SimclrConfig { temperature: f64::NAN, ..contrast() }), 2, "method.simclr.temperature"),
        (simclr(SimclrConfig { hidden: 0, ..contrast() }), 2, "method.simclr.hidden"),
        (simclr(SimclrConfig { output: 0, ..contrast() }), 2, "method.simclr.output"),
        (barlow(twins()), 1, "augment.views"),
        (barlow(BarlowConfig { redundancy: f64::NAN, ..twins() }), 2, "method.barlow.redundancy"),
        (barlow(BarlowConfig { redundancy: -0.1, ..twins() }), 2, "method.barlow.redundancy"),
        (barlow(BarlowConfig { hidden: 0, ..twins() }), 2, "method.barlow.hidden"),
        (barlow(BarlowConfig { output: 0, ..twins() }), 2, "method.barlow.output"),
        (byol(latent()), 1, "augment.views"),
        (byol(ByolConfig { momentum: f64::NAN, ..latent() }), 2, "method.byol.momentum"),
        (byol(ByolConfig { momentum: 1.01, ..latent() }), 2, "method.byol.momentum"),
        (byol(ByolConfig { hidden: 0, ..latent() }), 2, "method.byol.hidden"),
        (byol(ByolConfig { output: 0, ..latent() }), 2, "method.byol.output"),
        (clusters(DeepClusterConfig { clusters: 1, ..DeepClusterConfig::default() }), 1, "method.deepcluster.clusters"),
        (clusters(DeepClusterConfig { clusters: 1 << 25, ..DeepClusterConfig::default() }), 1, "method.deepcluster.clusters"),
        (clusters(DeepClusterConfig { hidden: 0, ..DeepClusterConfig::default() }), 1, "method.deepcluster.hidden"),
        (infomax(DeepInfoMaxConfig { local: -1.0, ..places() }), 1, "method.deepinfomax.local"),
        (infomax(DeepInfoMaxConfig { prior: f64::INFINITY, ..places() }), 1, "method.deepinfomax.prior"),
        (infomax(DeepInfoMaxConfig { hidden: 0, ..places() }), 1, "method.deepinfomax.hidden"),
        (supervised(SupervisedConfig { lr: 0.0, ..labels() }), 1, "method.supervised.lr"),
        (supervised(SupervisedConfig { momentum: 1.0, ..labels() }), 1, "method.supervised.momentum"),
        (MethodConfig::default(), 1, "augment.views"),
        (simclr(SimclrConfig { output: 1 << 62, ..contrast() }), 2, "method.simclr.output"),
        (MethodConfig { hidden: 65537, ..MethodConfig::default() }, 2, "method.hidden"),
        (MethodConfig { layers: 0, ..MethodConfig::default() }, 2, "method.layers"),
        (MethodConfig { layers: 5, ..MethodConfig::default() }, 2, "method.layers"),
        (MethodConfig { shifts: 0, ..MethodConfig::default() }, 2, "method.shifts"),
        (MethodConfig { shifts: 1 << 62, ..MethodConfig::default() }, 2, "method.shifts"),
    ];
    for (config, views, wanted) in cases {
        let error = config.validate(views).unwrap_err();
        assert!(matches!(&error, Error::Setting { key, .. } if *key == wanted), "{wanted}: {error:?}");
    }
    for (method, ..) in methods() {
        method.validate(2).unwrap();
    }
    for kind in
        [MethodKind::DeepCluster, MethodKind::DeepInfoMax, MethodKind::Rotation, MethodKind::Supervised, MethodKind::Random]
    {
        MethodConfig { kind, ..MethodConfig::default() }.validate(1).unwrap();
    }
}

/// What the memory plan and `--dry-run` are made of.
#[test]
fn a_relation_head_of_any_depth_has_as_many_parameters_as_are_planned() {
    let place = tempfile::tempdir().unwrap();
    let first_map = Layout { height: 0, width: 0, channels: 0, halo: 0 };
    let shape = HeadShape { width: 64, views: 3, max_images: 8, images: 26, classes: 4, first_map };
    for (layers, aggregation) in [(1, Aggregation::Cat), (2, Aggregation::Sum), (4, Aggregation::Cat)] {
        let method = MethodConfig { layers, aggregation, hidden: 12, ..MethodConfig::default() };
        let checkpoint = run(&folder(place.path(), &layers.to_string()), &method, 2);
        let trained = checkpoint
            .tensors
            .iter()
            .filter(|t| t.name.starts_with("relation.") && (t.name.ends_with(".weight") || t.name.ends_with(".bias")));
        assert_eq!(trained.map(|t| t.data.len()).sum::<usize>(), method.parameter_count(shape), "{layers} layers");
    }
}
