//! A method that taps the backbone.

use crate::{SIDE, assert_gradients_agree, folder, named, shapes, steps, trainer};
use relata_model::Executor;
use relata_train::{DeepInfoMaxConfig, Error, MethodConfig};

#[test]
fn a_tap_works_with_either_executor() {
    let place = tempfile::tempdir().unwrap();
    let method = named("deepinfomax");
    let [fused, candle] = [Executor::Fused, Executor::Candle]
        .map(|executor| steps(1, &folder(place.path(), &format!("{executor:?}")), method.clone(), 1e-3, executor));
    assert_gradients_agree(&fused, &candle, "deepinfomax");
}

#[test]
fn more_places_than_the_map_has_are_refused() {
    let places = |places| MethodConfig::from(DeepInfoMaxConfig { places, ..DeepInfoMaxConfig::default() });
    trainer(&places(SIDE * SIDE), shapes(), 1, 1).unwrap();
    let error = trainer(&places(SIDE * SIDE + 1), shapes(), 1, 1).err().unwrap();
    assert!(matches!(error, Error::Setting { key: "method.deepinfomax.places", .. }), "{error:?}");
}
