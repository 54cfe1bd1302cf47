//! Views against `torchvision.transforms.v2.functional` on float tensors (`fixtures/make.py`).

use relata_augment::{
    Adjustment, Affine, Blur, BlurConfig, Crop, CropBox, Jitter, Pipeline, PipelineConfig, Scratch, Solarise, ViewFormat,
    ViewKey, ViewParameters,
};
use relata_data::Image;
use serde_json::Value;

/// Both sides work in f32; weights and hues are worked out in another order here, some 10 roundings of values up to 6.
const CLOSE: f32 = 1e-5;

/// PIL cuts its results off to 8 bits: they are up to one of them below, and some roundings.
const ABOVE_PIL: std::ops::Range<f32> = -0.001 / 255.0..1.001 / 255.0;

fn number(value: &Value) -> usize {
    value.as_u64().expect("a whole number") as usize
}

fn float(value: &Value) -> f32 {
    value.as_f64().expect("a number") as f32
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn channels(value: &Value) -> [f32; 3] {
    [0, 1, 2].map(|channel| float(&value[channel]))
}

fn image(value: &Value) -> Image {
    let bytes = list(&value["rgb"]).iter().map(|byte| number(byte) as u8).collect();
    Image::new(number(&value["width"]), number(&value["height"]), bytes).expect("the sides fit the bytes")
}

fn affine(value: &Value) -> Option<Affine> {
    let values = value.as_array()?;
    let shift = |index: usize| values[index].as_i64().expect("a whole number") as i32;
    let [angle_deg, scale, shear_deg] = [0, 3, 4].map(|index| float(&values[index]));
    Some(Affine { angle_deg, right_px: shift(1), down_px: shift(2), scale, shear_deg })
}

fn boxed(value: &Value) -> CropBox {
    let [top_px, left_px, height_px, width_px] = [0, 1, 2, 3].map(|index| number(&value[index]));
    CropBox { top_px, left_px, height_px, width_px }
}

fn shift(value: &Value) -> Option<Crop> {
    let [top_px, left_px] = [0, 1].map(|index| value[index].as_i64());
    Some(Crop::Shifted { top_px: top_px? as isize, left_px: left_px? as isize })
}

/// The changes named come first, in their order; the others follow and change nothing.
fn jitter(changes: &Value) -> Option<Jitter> {
    let changes = list(changes);
    let position = |name: &str| changes.iter().position(|change| change[0] == name);
    let strength = |name: &str, neutral| position(name).map_or(neutral, |at| float(&changes[at][1]));
    let mut order = [
        (position("brightness"), Adjustment::Brightness),
        (position("contrast"), Adjustment::Contrast),
        (position("saturation"), Adjustment::Saturation),
        (position("hue"), Adjustment::Hue),
    ];
    assert_eq!(order.iter().filter(|(at, _)| at.is_some()).count(), changes.len(), "unknown change in {changes:?}");
    order.sort_by_key(|(at, _)| at.unwrap_or(usize::MAX));
    let [brightness, contrast, saturation] = ["brightness", "contrast", "saturation"].map(|name| strength(name, 1.0));
    let order = order.map(|(_, adjustment)| adjustment);
    (!changes.is_empty()).then(|| Jitter { order, brightness, contrast, saturation, hue: strength("hue", 0.0) })
}

#[test]
fn views_are_torchvisions() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/torchvision.json")).expect("valid JSON");
    let images: Vec<Image> = list(&fixture["images"]).iter().map(image).collect();
    let cases = list(&fixture["cases"]);
    assert!(cases.len() > 30, "the fixture holds its cases");
    let mut scratch = Scratch::default();
    for (index, case) in cases.iter().enumerate() {
        let flag = |name: &str| case[name].as_bool().expect("a flag");
        #[allow(clippy::needless_update)] // A step that is new has no line here.
        let parameters = ViewParameters {
            crop: shift(&case["shift"]).unwrap_or_else(|| Crop::Resized(boxed(&case["crop"]))),
            flip: flag("flip"),
            affine: affine(&case["affine"]),
            jitter: jitter(&case["adjust"]),
            grayscale: flag("grayscale"),
            invert: flag("invert"),
            blur: case["blur"].as_array().map(|blur| Blur { sigma_px: float(&blur[1]) }),
            solarise: case["solarise"].as_f64().map(|threshold| Solarise { threshold: threshold as f32 }),
            cutout: case["cutout"].is_array().then(|| boxed(&case["cutout"])),
            ..ViewParameters::default()
        };
        let kernel = case["blur"].as_array().map_or(0, |blur| number(&blur[0]));
        let config = PipelineConfig { blur: BlurConfig { kernel, ..BlurConfig::default() }, ..PipelineConfig::default() };
        let plain = ViewFormat::plain(number(&case["side"]));
        let normalised = ViewFormat { mean: channels(&fixture["mean"]), std: channels(&fixture["std"]), ..plain };
        let format = if flag("normalise") { normalised } else { plain };
        let pipeline = Pipeline::new(&config, format).expect("valid settings");
        let mut view = vec![0.0; pipeline.view_len()];
        pipeline.apply(&parameters, &images[number(&case["image"])], &mut view, &mut scratch).expect("the crop fits");
        let expected: Vec<f32> = list(&case["expected"]).iter().map(float).collect();
        assert_eq!(view.len(), expected.len(), "case {index}");
        // Normalised values are up to four times as large.
        let close = if flag("normalise") { 4.0 * CLOSE } else { CLOSE };
        let differences = view.iter().zip(&expected).map(|(ours, theirs)| (ours - theirs).abs());
        let (at, worst) = differences.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a view has values");
        assert!(worst <= close, "case {index}: {} against {} at {at}: {parameters:?}", view[at], expected[at]);
    }
}

#[test]
fn affine_maps_are_pils_but_for_its_rounding_and_its_border() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/torchvision.json")).expect("valid JSON");
    let image = image(&fixture["images"][2]);
    let pipeline = Pipeline::evaluation(13).expect("a side");
    let mut compared = 0;
    for case in list(&fixture["pil"]) {
        let parameters = ViewParameters { affine: affine(&case["affine"]), ..pipeline.parameters(ViewKey::default(), 13, 13) };
        let mut view = vec![0.0; pipeline.view_len()];
        pipeline.apply(&parameters, &image, &mut view, &mut Scratch::default()).expect("the crop fits");
        for (at, inside) in list(&case["inside"]).iter().enumerate().filter(|(_, inside)| inside.as_bool() == Some(true)) {
            for channel in 0..3 {
                let (ours, theirs) = (view[at * 3 + channel], float(&case["rgb"][at * 3 + channel]) / 255.0);
                assert!(ABOVE_PIL.contains(&(ours - theirs)), "{ours} against {theirs} at {at}, {inside}: {parameters:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 900, "{compared} values compared");
}
