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
    for (text, expected) in [
        ("views = 0", "augment.views"),
        ("side = 5000", "augment.side"),
        ("mean = [0.5]", "augment.mean"),
        ("mean = [0.5, 0.5, 1.5]", "augment.mean"),
        ("std = [0.5, 0.0, 0.5]", "augment.std"),
        ("[crop]\nscale = [0.0, 1.0]", "augment.crop.scale"),
        ("[crop]\nscale = [0.5, 0.4]", "augment.crop.scale"),
        ("[crop]\nscale = [0.5, 1.1]", "augment.crop.scale"),
        ("[crop]\nratio = [-1.0, 1.1]", "augment.crop.ratio"),
        ("[crop]\nratio = [1.0, nan]", "augment.crop.ratio"),
        ("[crop]\npadding = 99999", "augment.crop.padding"),
        ("[flip]\np = 1.1", "augment.flip.p"),
        ("[jitter]\np = -0.1", "augment.jitter.p"),
        ("[jitter]\nbrightness = -0.1", "augment.jitter.brightness"),
        ("[jitter]\ncontrast = inf", "augment.jitter.contrast"),
        ("[jitter]\nsaturation = nan", "augment.jitter.saturation"),
        ("[jitter]\nsaturation = 1e39", "augment.jitter.saturation"),
        ("[jitter]\nhue = 0.6", "augment.jitter.hue"),
        ("[grayscale]\np = nan", "augment.grayscale.p"),
        ("[invert]\np = 2.0", "augment.invert.p"),
        ("[blur]\np = -1.0", "augment.blur.p"),
        ("[blur]\nkernel = 4", "augment.blur.kernel"),
        ("[blur]\nsigma = [0.0, 1.0]", "augment.blur.sigma"),
        ("[blur]\nsigma = [1e-46, 1e-46]", "augment.blur.sigma"),
        ("[solarise]\np = nan", "augment.solarise.p"),
        ("[solarise]\nthreshold = 1.5", "augment.solarise.threshold"),
        ("[affine]\np = -0.5", "augment.affine.p"),
        ("[affine]\ndegrees = 181.0", "augment.affine.degrees"),
        ("[affine]\ntranslate = nan", "augment.affine.translate"),
        ("[affine]\nscale = [0.0, 1.0]", "augment.affine.scale"),
        ("[affine]\nscale = [1e-50, 1.0]", "augment.affine.scale"),
        ("[affine]\nscale = [1.0, 1e50]", "augment.affine.scale"),
        ("[affine]\nshear = 90.0", "augment.affine.shear"),
        ("[cutout]\np = 1.5", "augment.cutout.p"),
        ("[cutout]\narea = 0.0", "augment.cutout.area"),
        ("[cutout]\narea = 1.0", "augment.cutout.area"),
    ] {
        let config: PipelineConfig = toml::from_str(text).expect("valid TOML");
        let Err(Error::Setting { key, .. }) = config.validate() else { panic!("{text} passed") };
        assert_eq!(key, expected, "{text}");
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
