use std::collections::HashSet;

use proptest::prelude::*;
use relata_data::Image;

use super::{Pipeline, Pixels, Scratch, pixels_body};
use crate::steps::blurred;
use crate::{Blur, Crop, CropBox, CropConfig, CropKind, Error, PipelineConfig, Solarise, ViewFormat, ViewKey, ViewParameters};

const NORMALISED: ViewFormat = ViewFormat { side_px: 32, mean: [0.5; 3], std: [0.25; 3] };

/// Any bytes, the first pixel red: no symmetry.
fn image(width_px: usize, height_px: usize) -> Image {
    let mut bytes: Vec<u8> = (0..width_px * height_px * 3).map(|i| (i * 89 % 251) as u8).collect();
    bytes[..3].copy_from_slice(&[255, 0, 0]);
    Image::new(width_px, height_px, bytes).expect("the sides fit the bytes")
}

fn plain(crop: Crop) -> ViewParameters {
    ViewParameters { crop, ..ViewParameters::default() }
}

fn applied(side_px: usize, image: &Image, parameters: &ViewParameters) -> Vec<f32> {
    let pipeline = Pipeline::relational(side_px).expect("a side");
    let mut out = vec![f32::NAN; pipeline.view_len()];
    pipeline.apply(parameters, image, &mut out, &mut Scratch::default()).expect("the crop fits");
    out
}

fn pixel(view: &[f32], side_px: usize, x: usize, y: usize) -> [f32; 3] {
    let at = (y * side_px + x) * 3;
    [view[at], view[at + 1], view[at + 2]]
}

fn mirrored(view: &[f32], side_px: usize) -> Vec<f32> {
    let rows = view.as_chunks::<3>().0.chunks(side_px);
    rows.flat_map(|row| row.iter().rev()).flatten().copied().collect()
}

/// [`super::pixels`] with one target alone to choose, which a machine that has a better one would never take.
macro_rules! form {
    ($target:tt) => {{
        #[multiversion::multiversion(targets($target))]
        fn form(pipeline: &Pipeline, parameters: &ViewParameters, image: &Image, out: &mut [f32], scratch: &mut Scratch) {
            pixels_body(pipeline, parameters, image, out, scratch);
        }
        let form: Pixels = form;
        ($target, form)
    }};
}

proptest! {
    #[test]
    fn a_used_scratch_changes_no_view(sizes in prop::collection::vec((1_usize..40, 1_usize..40), 1..6), side in 1_usize..40, seed: u64) {
        let pipeline = Pipeline::relational(side).expect("a side");
        let mut scratch = Scratch::default();
        let mut out = vec![0.0; pipeline.view_len()];
        for (number, (width, height)) in sizes.into_iter().enumerate() {
            let (image, key) = (image(width, height), ViewKey { seed, image: number as u64, ..ViewKey::default() });
            pipeline.view_into(&image, key, &mut out, &mut scratch);
            prop_assert_eq!(&out, &pipeline.view(&image, key));
            prop_assert!(out.iter().all(|v| (0.0..=1.00001).contains(v)));
        }
    }

    #[test]
    fn every_instruction_set_that_this_machine_has_gives_the_bits_of_the_oldest(
        width in 1_usize..60, height in 1_usize..60, side in 2_usize..40, seed: u64, view in 0_u32..20, steps in 0_usize..5,
    ) {
        let mut config = PipelineConfig::default();
        let PipelineConfig { crop, affine, invert, blur, solarise, cutout, .. } = &mut config;
        match steps {
            0 => {}
            1 => crop.kind = CropKind::Padded,
            2 => (blur.p, solarise.p) = (1.0, 1.0),
            3 => (affine.p, cutout.p) = (1.0, 1.0),
            _ => (affine.p, invert.p, blur.p, solarise.p, cutout.p) = (1.0, 0.5, 0.5, 0.5, 1.0),
        }
        let pipeline = Pipeline::new(&config, ViewFormat { side_px: side, mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.3] }).expect("valid settings");
        let image = image(width, height);
        let parameters = pipeline.parameters(ViewKey { seed, view, ..ViewKey::default() }, width, height);
        let bits = |pixels: Pixels| -> Vec<u32> {
            let mut out = vec![0.0; pipeline.view_len()];
            pipeline.render_by(pixels, &parameters, &image, &mut out, &mut Scratch::default());
            out.into_iter().map(f32::to_bits).collect()
        };
        // Called from here, it is compiled for the oldest machine of the architecture.
        let oldest = bits(pixels_body);
        prop_assert!(bits(super::pixels) == oldest, "{parameters:?}");
        let forms = [
            form!("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+bmi1+bmi2+fma"),
            form!("x86_64+avx2+bmi1+bmi2+fma"),
            form!("x86_64+sse4.1"),
        ];
        let chosen_among = include_str!("../pipeline.rs").split('"').filter(|text| text.starts_with("x86_64+"));
        prop_assert!(chosen_among.eq(forms.iter().map(|(target, _)| *target)), "another list than the dispatcher's");
        for (target, form) in forms {
            prop_assert!(bits(form) == oldest, "{target}: {parameters:?}");
        }
    }

    #[test]
    fn a_flip_is_the_mirrored_view(width in 1_usize..20, height in 1_usize..20, side in 1_usize..20) {
        let (image, straight) = (image(width, height), plain(Crop::Resized(CropBox::whole(width, height))));
        let flipped = applied(side, &image, &ViewParameters { flip: true, ..straight });
        let unflipped = applied(side, &image, &straight);
        prop_assert_eq!(&mirrored(&flipped, side), &unflipped);
        prop_assert_eq!(mirrored(&mirrored(&flipped, side), side), flipped);
    }
}

#[test]
fn an_image_of_the_views_side_comes_through_unchanged() {
    let image = image(9, 9);
    let view = Pipeline::evaluation(9).expect("a side").view(&image, ViewKey::default());
    for (ours, &byte) in view.iter().zip(image.rgb()) {
        assert!((ours - f32::from(byte) / 255.0).abs() <= f32::EPSILON);
    }
}

#[test]
fn a_marked_corner_stays_in_its_corner() {
    let (mut bytes, side) = (vec![0; 5 * 7 * 3], 11);
    bytes[..3].copy_from_slice(&[255, 0, 0]);
    let image = Image::new(5, 7, bytes).expect("the sides fit the bytes");
    let view = applied(side, &image, &plain(Crop::Resized(CropBox::whole(5, 7))));
    let red = |x, y| pixel(&view, side, x, y)[0];
    assert!((red(0, 0) - 1.0).abs() < 1e-6);
    assert_eq!([red(side - 1, 0), red(0, side - 1), red(side - 1, side - 1)], [0.0; 3]);
    assert!(view.as_chunks::<3>().0.iter().all(|pixel| pixel[1..] == [0.0; 2]));
}

#[test]
fn a_shift_moves_the_image_over_a_black_frame() {
    let (image, side) = (image(9, 9), 9);
    for (top_px, left_px) in [(0, 0), (2, -3), (-4, 1), (8, 8), (-9, 0), (20, 0)] {
        let view = applied(side, &image, &plain(Crop::Shifted { top_px, left_px }));
        for y in 0..side {
            for x in 0..side {
                let (from_x, from_y) = (x as isize + left_px, y as isize + top_px);
                let inside = (0..9).contains(&from_x) && (0..9).contains(&from_y);
                let expected = if inside { image.pixel(from_x as usize, from_y as usize) } else { [0; 3] };
                let ours = pixel(&view, side, x, y);
                assert!((0..3).all(|c| (ours[c] - f32::from(expected[c]) / 255.0).abs() <= f32::EPSILON), "({x}, {y})");
            }
        }
    }
}

#[test]
fn padded_crops_resize_images_of_another_size_first() {
    let crop = CropConfig { kind: CropKind::Padded, padding: 0, ..CropConfig::default() };
    let config = PipelineConfig { crop, ..PipelineConfig::evaluation() };
    let padded = Pipeline::new(&config, ViewFormat::plain(9)).expect("valid settings");
    let whole = Pipeline::evaluation(9).expect("a side");
    assert_eq!(padded.view(&image(5, 7), ViewKey::default()), whole.view(&image(5, 7), ViewKey::default()));
}

#[test]
fn a_configurations_own_side_and_normalisation_win() {
    let config = PipelineConfig { side: 6, mean: vec![0.5; 3], std: vec![0.25; 3], ..PipelineConfig::evaluation() };
    let given = ViewFormat { mean: [0.1; 3], std: [0.1; 3], ..NORMALISED };
    let pipeline = Pipeline::new(&config, given).expect("valid settings");
    let plain = Pipeline::evaluation(6).expect("a side");
    let (ours, theirs) = (pipeline.view(&image(5, 7), ViewKey::default()), plain.view(&image(5, 7), ViewKey::default()));
    assert_eq!(ours, theirs.iter().map(|v| (v - 0.5) * 4.0).collect::<Vec<_>>());
    assert_eq!(
        Pipeline::new(&PipelineConfig { flip: crate::FlipConfig { p: 1.0 }, ..config }, given)
            .expect("valid settings")
            .without_randomness()
            .view(&image(5, 7), ViewKey::default()),
        ours
    );
}

#[test]
fn crops_outside_the_image_are_errors() {
    let (pipeline, image) = (Pipeline::relational(4).expect("a side"), image(5, 7));
    let mut out = vec![0.0; pipeline.view_len()];
    let whole = CropBox::whole(5, 7);
    for crop in [
        CropBox { width_px: 6, ..whole },
        CropBox { top_px: 1, ..whole },
        CropBox { height_px: 0, ..whole },
        CropBox { left_px: usize::MAX, ..whole },
    ] {
        let result = pipeline.apply(&plain(Crop::Resized(crop)), &image, &mut out, &mut Scratch::default());
        assert!(matches!(result, Err(Error::CropOutside { width_px: 5, height_px: 7, .. })));
    }
}

#[test]
fn sides_and_deviations_out_of_range_are_errors() {
    let key = |result: crate::Result<Pipeline>| match result {
        Err(Error::Setting { key, .. }) => key,
        other => panic!("{other:?}"),
    };
    let config = PipelineConfig::default();
    assert_eq!(key(Pipeline::relational(0)), "augment.side");
    assert_eq!(key(Pipeline::relational(4097)), "augment.side");
    assert_eq!(key(Pipeline::new(&config, ViewFormat { std: [1.0, 0.0, 1.0], ..NORMALISED })), "augment.std");
    assert_eq!(key(Pipeline::new(&config, ViewFormat { mean: [f32::NAN; 3], ..NORMALISED })), "augment.mean");
}

#[test]
fn blurred_and_solarised_views_are_the_bits_of_the_oldest_instruction_set_and_leave_other_draws_alone() {
    let plain = PipelineConfig::default();
    let mut more = plain.clone();
    (more.blur.p, more.solarise.p) = (1.0, 1.0);
    let pipeline = |config: &PipelineConfig| Pipeline::new(config, ViewFormat::plain(21)).expect("valid settings");
    let (plain, more) = (pipeline(&plain), pipeline(&more));
    let image = image(23, 17);
    for view in 0..20 {
        let key = ViewKey { view, ..ViewKey::default() };
        let (without, with) = (plain.parameters(key, 23, 17), more.parameters(key, 23, 17));
        let sigma = with.blur.expect("always blurred").sigma_px;
        assert!((0.1..2.0).contains(&sigma) && with.solarise == Some(Solarise { threshold: 0.5 }));
        assert_eq!(ViewParameters { blur: None, solarise: None, ..with }, without);
        // By hand: the plain view, blurred and solarised by code that is compiled for the oldest machine. The order of
        // planes and the padding of blocks do not come into it.
        let rows = plain.view(&image, key);
        let mut expected = vec![0.0; rows.len()];
        for channel in 0..3 {
            let plane = rows.iter().skip(channel).step_by(3).copied().collect();
            for (to, v) in expected.iter_mut().skip(channel).step_by(3).zip(blurred(1, sigma, 21, plane)) {
                *to = if v >= 0.5 { 1.0 - v } else { v };
            }
        }
        assert_eq!(more.view(&image, key), expected);
    }
}

#[test]
fn a_blur_of_nothing_changes_nothing_and_one_that_is_not_finite_is_refused() {
    let (pipeline, image) = (Pipeline::relational(9).expect("a side"), image(9, 9));
    let plain = plain(Crop::Resized(CropBox::whole(9, 9)));
    let apply = |sigma: Option<f32>| {
        let blur = sigma.map(|sigma_px| Blur { sigma_px });
        let (parameters, mut out) = (ViewParameters { blur, ..plain }, vec![0.0; pipeline.view_len()]);
        pipeline.apply(&parameters, &image, &mut out, &mut Scratch::default()).map(|()| out)
    };
    assert_eq!(apply(Some(0.0)).expect("no blur"), apply(None).expect("no blur"));
    for sigma in [f32::NAN, -1.0, f32::INFINITY] {
        assert!(matches!(apply(Some(sigma)), Err(Error::Setting { key: "sigma_px", .. })), "{sigma}");
    }
}

#[test]
fn a_kernel_wider_than_its_reflection_is_refused() {
    let mut config = PipelineConfig::default();
    (config.blur.p, config.blur.kernel) = (0.5, 21);
    let refused = Pipeline::new(&config, ViewFormat::plain(10));
    assert!(matches!(refused, Err(Error::Setting { key: "augment.blur.kernel", .. })), "{refused:?}");
    assert!(Pipeline::new(&config, ViewFormat::plain(11)).is_ok());
}

#[test]
fn an_affine_map_and_a_cutout_leave_other_draws_alone_and_no_trace_in_a_scratch() {
    let plain = PipelineConfig::default();
    let mut more = plain.clone();
    (more.affine.p, more.cutout.p) = (1.0, 1.0);
    let pipeline =
        |config: &PipelineConfig| Pipeline::new(config, ViewFormat { side_px: 21, ..NORMALISED }).expect("valid settings");
    let (plain, more) = (pipeline(&plain), pipeline(&more));
    let image = image(23, 17);
    let (mut scratch, mut out) = (Scratch::default(), vec![0.0; plain.view_len()]);
    for view in 0..20 {
        let key = ViewKey { view, ..ViewKey::default() };
        let (without, with) = (plain.parameters(key, 23, 17), more.parameters(key, 23, 17));
        assert!(with.affine.is_some() && with.cutout.is_some());
        assert_eq!(ViewParameters { affine: None, cutout: None, ..with }, without);
        for pipeline in [&more, &plain] {
            pipeline.view_into(&image, key, &mut out, &mut scratch);
            assert_eq!(out, pipeline.view(&image, key));
        }
    }
}

#[test]
fn a_cutout_is_a_square_of_the_mean_colour_and_nothing_else() {
    let config = PipelineConfig { cutout: crate::CutoutConfig { p: 1.0, area: 0.25 }, ..PipelineConfig::evaluation() };
    let pipeline = |config| {
        Pipeline::new(config, ViewFormat { side_px: 9, mean: [0.3, 0.4, 0.5], std: [0.2, 0.3, 0.4] }).expect("valid settings")
    };
    let (cut, whole) = (pipeline(&config), pipeline(&PipelineConfig::evaluation()));
    let key = ViewKey { image: 4, ..ViewKey::default() };
    let part = cut.parameters(key, 9, 9).cutout.expect("always");
    // sqrt(0.25) of 9 pixels, to the even one.
    assert_eq!((part.height_px, part.width_px), (4, 4));
    let (cut, whole) = (cut.view(&image(9, 9), key), whole.view(&image(9, 9), key));
    for (y, x) in (0..9).flat_map(|y| (0..9).map(move |x| (y, x))) {
        let inside = (part.top_px..part.top_px + 4).contains(&y) && (part.left_px..part.left_px + 4).contains(&x);
        assert_eq!(pixel(&cut, 9, x, y), if inside { [0.0; 3] } else { pixel(&whole, 9, x, y) }, "({x}, {y})");
    }
}

#[test]
fn what_is_drawn_can_be_applied_where_a_cutout_would_be_no_pixel() {
    let config = PipelineConfig { cutout: crate::CutoutConfig { p: 1.0, area: 2e-4 }, ..PipelineConfig::evaluation() };
    let pipeline = Pipeline::new(&config, NORMALISED).expect("valid settings");
    let parameters = pipeline.parameters(ViewKey::default(), 32, 32);
    assert_eq!(parameters.cutout, None, "0.45 of a pixel");
    let mut view = vec![0.0; pipeline.view_len()];
    pipeline.apply(&parameters, &image(32, 32), &mut view, &mut Scratch::default()).expect("drawn by itself");
    assert_eq!(view, pipeline.view(&image(32, 32), ViewKey::default()));
}

#[test]
fn a_cutout_outside_the_view_is_an_error() {
    let (pipeline, image) = (Pipeline::relational(4).expect("a side"), image(5, 7));
    let cutout = Some(CropBox { top_px: 1, left_px: 0, height_px: 4, width_px: 2 });
    let parameters = ViewParameters { cutout, ..plain(Crop::Resized(CropBox::whole(5, 7))) };
    let result = pipeline.apply(&parameters, &image, &mut vec![0.0; pipeline.view_len()], &mut Scratch::default());
    assert!(matches!(result, Err(Error::CropOutside { width_px: 4, height_px: 4, .. })), "{result:?}");
}

#[test]
fn pipelines_that_make_other_views_have_other_definitions() {
    let definition = |config: &toml::Table| {
        let mut pipeline = Pipeline::new(&PipelineConfig::default(), NORMALISED).expect("valid settings");
        // Not checked: a changed setting may lie outside its range.
        pipeline.config = config.clone().try_into().expect("known keys");
        pipeline.definition()
    };
    let mut base = toml::Table::try_from(PipelineConfig::default()).expect("a table");
    // Every step may happen, so that each of its settings is read.
    base.iter_mut().filter_map(|(_, step)| step.get_mut("p")).for_each(|p| *p = 0.5.into());
    let mut known = HashSet::from([definition(&base)]);
    for (name, key, value) in base.iter().flat_map(|(name, step)| {
        step.as_table().into_iter().flatten().map(move |(key, value)| (name.as_str(), key.as_str(), value))
    }) {
        let mut other = base.clone();
        other[name][key] = match value {
            toml::Value::Float(v) => (v * 0.9).into(),
            toml::Value::Integer(v) => (v + 5).into(),
            toml::Value::Array(pair) => vec![0.9 * pair[0].as_float().expect("a number"), 1.5].into(),
            _ => "whole".into(),
        };
        // What a crop of the default's kind does not read.
        assert_eq!(known.insert(definition(&other)), (name, key) != ("crop", "padding"), "{name}.{key}");
    }
    let with = |text: &str| definition(&base.clone().into_iter().chain(text.parse::<toml::Table>().expect("TOML")).collect());
    assert!([4, 3].iter().all(|padding| known.insert(with(&format!("crop = {{ kind = \"padded\", padding = {padding} }}")))));
    // The kernel's own size written out, and how many views there are.
    assert!(["blur = { p = 0.5, kernel = 3 }", "views = 9"].iter().all(|text| with(text) == with("")));
    let of = |side, mean, std| Pipeline::new(&PipelineConfig { side, mean, std, ..PipelineConfig::default() }, NORMALISED);
    let of = |side, mean, std| of(side, mean, std).expect("valid settings").definition();
    let (none, mean, std) = (Vec::new, vec![0.5, 0.5, 0.4], vec![0.25, 0.25, 0.2]);
    let own = HashSet::from([of(0, none(), none()), of(24, none(), none()), of(0, mean, none()), of(0, none(), std)]);
    assert_eq!(own.len(), 4, "{own:?}");
}

#[test]
fn a_step_that_never_happens_is_no_part_of_a_definition() {
    let plain = Pipeline::relational(32).expect("a side");
    let mut config = PipelineConfig::default();
    (config.affine.degrees, config.blur.sigma, config.solarise.threshold, config.cutout.area) = (1.0, [1.0, 1.5], 0.9, 0.3);
    let other = Pipeline::new(&config, ViewFormat::plain(32)).expect("valid settings");
    assert_eq!(plain.definition(), other.definition());
    // Checkpoints hold a digest of it: another text for the same views would refuse to resume them.
    assert_eq!(
        plain.definition(),
        "side 32; normalise [0.0, 0.0, 0.0] [1.0, 1.0, 1.0]; crop resized [0.08, 1.0] [0.75, 1.3333333333333333]; flip 0.5; \
         jitter 0.8 0.8 0.8 0.8 0.2; grayscale 0.2"
    );
}
