//! The configuration as a TOML table.

use relata_augment::{CropKind, Error, PipelineConfig};

/// The README's table of settings as TOML: the code of its first two columns.
fn readme() -> toml::Table {
    let rows = include_str!("../README.md").lines().filter(|line| line.starts_with("| `[augment"));
    let code = rows.flat_map(|row| row.split('|').take(3).flat_map(|cell| cell.split('`').skip(1).step_by(2)));
    code.collect::<Vec<_>>().join("\n").parse().expect("valid TOML")
}

#[test]
fn the_readme_lists_the_defaults() {
    let listed = readme()["augment"].clone();
    assert!(listed.as_table().is_some_and(|table| table.len() >= 4 + 9), "{listed}");
    let read: PipelineConfig = listed.try_into().expect("keys that exist");
    assert_eq!(read, PipelineConfig::default());
    let written = toml::to_string(&PipelineConfig::default()).expect("every value has a TOML form");
    assert_eq!(toml::from_str::<PipelineConfig>(&written).expect("valid TOML"), read);
    read.validate().expect("the defaults are valid");
}

#[test]
fn a_file_lists_only_what_differs() {
    let read: PipelineConfig = toml::from_str("views = 32\n[crop]\nkind = \"padded\"\n[jitter]\nhue = 0.5").expect("valid TOML");
    assert_eq!((read.views, read.crop.kind, read.jitter.hue, read.jitter.p), (32, CropKind::Padded, 0.5, 0.8));
}

#[test]
fn unknown_keys_are_errors() {
    for text in
        ["view = 3", "[crop]\nscales = [0.1, 1.0]", "[flip]\nprobability = 1.0", "[jitter]\nhues = 0.1", "[blurr]\np = 0.5"]
    {
        assert!(toml::from_str::<PipelineConfig>(text).is_err(), "{text}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    for text in "views = 0; side = 5000; mean = [0.5]; mean = [0.5, 0.5, 1.5]; std = [0.5, 0.0, 0.5]; crop.scale = [0.0, 1.0]; \
        crop.scale = [0.5, 0.4]; crop.scale = [0.5, 1.1]; crop.ratio = [-1.0, 1.1]; crop.ratio = [1.0, nan]; crop.padding = 99999; \
        flip.p = 1.1; jitter.p = -0.1; jitter.brightness = -0.1; jitter.contrast = inf; jitter.saturation = nan; \
        jitter.saturation = 1e39; jitter.hue = 0.6; grayscale.p = nan; invert.p = 2.0; blur.p = -1.0; blur.kernel = 4; \
        blur.sigma = [0.0, 1.0]; blur.sigma = [1e-46, 1e-46]; solarise.p = nan; solarise.threshold = 1.5; affine.p = -0.5; \
        affine.degrees = 181.0; affine.translate = nan; affine.scale = [0.0, 1.0]; affine.scale = [1e-50, 1.0]; \
        affine.scale = [1.0, 1e50]; affine.shear = 90.0; cutout.p = 1.5; cutout.area = 0.0; cutout.area = 1.0"
        .split("; ")
    {
        let config: PipelineConfig = toml::from_str(text).expect("valid TOML");
        let Err(Error::Setting { key, .. }) = config.validate() else { panic!("{text} passed") };
        assert_eq!(Some(key), text.split(" = ").next().map(|key| format!("augment.{key}")).as_deref());
    }
}

#[test]
fn an_augmentation_is_said_in_words() {
    assert_eq!(PipelineConfig::evaluation().in_words(), "none");
    let words = PipelineConfig::default().in_words();
    assert_eq!(words, "crop 0.08-1, flip p 0.5, jitter 0.8/0.8/0.8 hue 0.2 (p 0.8), grayscale p 0.2");
    let mut config = PipelineConfig::evaluation();
    (config.affine.p, config.cutout.p) = (0.5, 0.25);
    assert_eq!(config.in_words(), "affine 18° shift 0.1 scale 0.9-1.1 shear 10° (p 0.5), cut-out of 0.111 (p 0.25)");
}
