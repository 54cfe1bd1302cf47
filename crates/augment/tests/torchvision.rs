//! Views against `torchvision.transforms.v2.functional` on float tensors (`fixtures/make.py`).

use relata_augment::{Adjustment, BlurConfig, Crop, CropBox, Jitter, Pipeline, PipelineConfig, Scratch, ViewParameters};
use relata_data::Image;
use serde_json::Value;

/// Both sides work in f32; weights and hues are worked out in another order here, some 10 roundings of values up to 6.
const CLOSE: f32 = 1e-5;

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

/// The changes named come first, in their order; the others follow and change nothing.
fn jitter(changes: &Value) -> Option<Jitter> {
    let mut jitter = Jitter { order: [Adjustment::Hue; 4], brightness: 1.0, contrast: 1.0, saturation: 1.0, hue: 0.0 };
    let mut order = Vec::new();
    for change in list(changes) {
        let value = float(&change[1]);
        let (adjustment, place) = match change[0].as_str() {
            Some("brightness") => (Adjustment::Brightness, &mut jitter.brightness),
            Some("contrast") => (Adjustment::Contrast, &mut jitter.contrast),
            Some("saturation") => (Adjustment::Saturation, &mut jitter.saturation),
            Some("hue") => (Adjustment::Hue, &mut jitter.hue),
            other => panic!("unknown change {other:?}"),
        };
        *place = value;
        order.push(adjustment);
    }
    for adjustment in [Adjustment::Brightness, Adjustment::Contrast, Adjustment::Saturation, Adjustment::Hue] {
        if !order.contains(&adjustment) {
            order.push(adjustment);
        }
    }
    jitter.order = order.try_into().expect("four changes");
    (!list(changes).is_empty()).then_some(jitter)
}

#[test]
fn views_are_torchvisions() {
    let fixture: Value = serde_json::from_str(include_str!("../fixtures/torchvision.json")).expect("valid JSON");
    let images: Vec<Image> = list(&fixture["images"]).iter().map(image).collect();
    let cases = list(&fixture["cases"]);
    assert!(cases.len() > 30, "the fixture holds its cases");
    let mut scratch = Scratch::default();
    for (index, case) in cases.iter().enumerate() {
        let [top_px, left_px, height_px, width_px] = [0, 1, 2, 3].map(|place| number(&case["crop"][place]));
        let flag = |name: &str| case[name].as_bool().expect("a flag");
        let parameters = ViewParameters {
            crop: Crop::Resized(CropBox { top_px, left_px, height_px, width_px }),
            flip: flag("flip"),
            jitter: jitter(&case["adjust"]),
            grayscale: flag("grayscale"),
            invert: flag("invert"),
            blur_sigma_px: case["blur"].as_array().map(|blur| float(&blur[1])),
            solarise: case["solarise"].as_f64().map(|threshold| threshold as f32),
        };
        let kernel = case["blur"].as_array().map_or(0, |blur| number(&blur[0]));
        let config = PipelineConfig { blur: BlurConfig { kernel, ..BlurConfig::default() }, ..PipelineConfig::default() };
        let (mean, std) =
            if flag("normalise") { (channels(&fixture["mean"]), channels(&fixture["std"])) } else { ([0.0; 3], [1.0; 3]) };
        let pipeline = Pipeline::new(&config, number(&case["side"]), mean, std).expect("valid settings");
        let mut view = vec![0.0; pipeline.view_len()];
        pipeline.apply(&parameters, &images[number(&case["image"])], &mut view, &mut scratch).expect("the crop fits");
        let expected: Vec<f32> = list(&case["expected"]).iter().map(float).collect();
        assert_eq!(view.len(), expected.len(), "case {index}");
        // Normalised values are up to four times as large.
        let close = if flag("normalise") { 4.0 * CLOSE } else { CLOSE };
        let differences = view.iter().zip(&expected).map(|(ours, theirs)| (ours - theirs).abs());
        let (place, worst) = differences.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a view has values");
        assert!(worst <= close, "case {index}: {} against {} at {place}: {parameters:?}", view[place], expected[place]);
    }
}
