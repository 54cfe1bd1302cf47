use super::reference::{self, Case};
use super::{LocalBatch, LocalHead, LocalHeadGrads, LocalHeadParams, LocalHeadShape, LocalOutcome};
use crate::test_support::{assert_close, f32s, noise};
use crate::{Error, Isa, Layout};

/// f32 against f64, relative to the largest entry: sums of up to some thousand products.
const TOLERANCE: f64 = 1e-5;

/// N, rows and columns of the map, C, D, H. The fewest images; odd sides and widths; more than a block of positions; more images than pieces.
const SIZES: [([usize; 3], [usize; 3]); 5] = [
    ([2, 1, 2], [1, 1, 1]),
    ([3, 5, 7], [8, 13, 19]),
    ([2, 9, 8], [16, 5, 40]),
    ([5, 3, 1], [19, 64, 16]),
    ([67, 1, 2], [3, 7, 9]),
];

fn case(name: &str, [n, height, columns]: [usize; 3], [channels, width, hidden]: [usize; 3]) -> Case {
    let shape = LocalHeadShape { channels, width, hidden };
    let inputs = [channels + width, channels + width, hidden, hidden, hidden, hidden];
    let lengths = shape.parameter_lengths();
    let parameters = std::array::from_fn(|at| {
        let scale = (3.0 / inputs[at] as f64).sqrt();
        noise(&format!("{name}, parameter {at}"), lengths[at]).iter().map(|x| f64::from((scale * x) as f32)).collect()
    });
    Case {
        shape,
        weight: 0.75,
        map: noise(&format!("{name}, map"), n * height * columns * channels),
        features: noise(&format!("{name}, features"), n * width),
        foreign: (0..n).map(|image| (image + n - 1) % n).collect(),
        parameters,
    }
}

/// Map, features, W1, b1, W2, b2, w3, b3.
type Gradients = [Vec<f32>; 8];

fn run(isa: Isa, case: &Case, layout: Layout, max_rows: usize, positions: Option<&[usize]>) -> (LocalOutcome, Gradients) {
    let n = case.foreign.len();
    // What lies in the halo must not be read.
    let mut map = vec![f32::NAN; n * layout.image_len()];
    let row = layout.width * layout.channels;
    for (at, from) in f32s(&case.map).chunks_exact(row).enumerate() {
        map[at / layout.height * layout.image_len()..][layout.row(at % layout.height)].copy_from_slice(from);
    }
    let mut head = LocalHead::new(isa, case.shape, max_rows, &mut crate::Buffers::allocated()).unwrap();
    let parameters = case.parameters.each_ref().map(|values| f32s(values));
    let mut d = case.parameters.each_ref().map(|values| vec![f32::NAN; values.len()]);
    let (mut d_map, mut d_features) = (vec![f32::NAN; case.map.len()], vec![f32::NAN; case.features.len()]);
    let features = f32s(&case.features);
    let batch = LocalBatch { map: &map, layout, features: &features, foreign: &case.foreign, positions };
    let [w1, b1, w2, b2, w3, b3] = &parameters;
    let params = LocalHeadParams { w1, b1, w2, b2, w3, b3 };
    let mut outcomes = Vec::new();
    // The second step must not see what the first has left.
    for _ in 0..2 {
        let [w1, b1, w2, b2, w3, b3] = &mut d;
        let grads = LocalHeadGrads { w1, b1, w2, b2, w3, b3, map: &mut d_map, features: &mut d_features };
        outcomes.push(head.step(batch, case.weight as f32, params, grads).unwrap());
    }
    assert_eq!((outcomes[0].loss.to_bits(), outcomes[0].correct), (outcomes[1].loss.to_bits(), outcomes[1].correct));
    let [w1, b1, w2, b2, w3, b3] = d;
    (outcomes[0], [d_map, d_features, w1, b1, w2, b2, w3, b3])
}

#[test]
fn loss_and_gradients_match_the_definition_at_awkward_sizes() {
    for (number, (sizes, widths)) in SIZES.into_iter().enumerate() {
        let case = case(&format!("positions {number}"), sizes, widths);
        let (expected, gradients) = reference::step(&case);
        // f32 must not land on the other side of a kink.
        assert!(expected.nearest > 2e-6, "case {number} has a row at {:.1e} of a kink: take another name", expected.nearest);
        for isa in Isa::available() {
            for halo in [0, 2] {
                let layout = Layout { height: sizes[1], width: sizes[2], channels: widths[0], halo };
                let (outcome, found) = run(isa, &case, layout, sizes[0] + 3 * halo, None);
                let what = format!("{isa}, case {number}, halo {halo}");
                assert!(
                    (outcome.loss - expected.loss).abs() <= TOLERANCE * expected.loss,
                    "{outcome:?}, {}: {what}",
                    expected.loss
                );
                assert_eq!((outcome.correct, outcome.rows), (expected.correct, 2 * sizes.iter().product::<usize>()), "{what}");
                assert_close(&found[0], &gradients.map, TOLERANCE, &format!("d_map: {what}"));
                assert_close(&found[1], &gradients.features, TOLERANCE, &format!("d_features: {what}"));
                for (at, (found, expected)) in found[2..].iter().zip(&gradients.parameters).enumerate() {
                    assert_close(found, expected, TOLERANCE, &format!("parameter {at}: {what}"));
                }
            }
        }
    }
}

#[test]
fn the_reference_s_gradients_match_central_differences() {
    let case = case("differences", [3, 2, 2], [3, 4, 5]);
    let (_, gradients) = reference::step(&case);
    let slope = |change: &dyn Fn(&mut Case, f64)| {
        let at = |step: f64| {
            let mut moved = case.clone();
            change(&mut moved, step);
            reference::step(&moved).0.loss
        };
        (at(1e-6) - at(-1e-6)) / 2e-6
    };
    let check = |gradient: &[f64], which: &dyn Fn(&mut Case) -> &mut Vec<f64>, what: &str| {
        for (at, gradient) in gradient.iter().enumerate() {
            let measured = slope(&|case, step| which(case)[at] += step);
            assert!((gradient - measured).abs() < 1e-8, "{what}, entry {at}: {gradient}, by differences {measured}");
        }
    };
    check(&gradients.map, &|case| &mut case.map, "map");
    check(&gradients.features, &|case| &mut case.features, "features");
    for parameter in 0..6 {
        check(&gradients.parameters[parameter], &|case| &mut case.parameters[parameter], &format!("parameter {parameter}"));
    }
}

#[test]
fn some_of_the_positions_count_as_maps_of_those_alone() {
    let whole = case("some positions", [3, 5, 30], [8, 13, 19]);
    // More than a block of them, in no order.
    let positions: Vec<usize> = (0..70).map(|number| number * 61 % 150).collect();
    let mut some = whole.clone();
    some.map = (0..3)
        .flat_map(|image| positions.iter().flat_map(move |position| (0..8).map(move |c| (image * 150 + position) * 8 + c)))
        .map(|at| whole.map[at])
        .collect();
    let layout = Layout { height: 5, width: 30, channels: 8, halo: 1 };
    let (outcome, found) = run(Isa::best(), &whole, layout, 3, Some(&positions));
    let (expected, gradients) = run(Isa::best(), &some, Layout::dense(7, 10, 8), 3, None);
    assert_eq!(outcome, expected);
    assert!(found[1..] == gradients[1..]);
    let mut d_map = vec![0.0; whole.map.len()];
    for (from, (image, position)) in
        gradients[0].chunks_exact(8).zip((0..3).flat_map(|image| positions.iter().map(move |p| (image, p))))
    {
        d_map[(image * 150 + position) * 8..][..8].copy_from_slice(from);
    }
    assert!(found[0] == d_map);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let case = case("threads", [67, 2, 3], [8, 5, 24]);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(Isa::best(), &case, Layout::dense(2, 3, 8), 70, None))
    };
    assert!(on(1) == on(4));
}

#[test]
fn a_nan_shows_in_the_loss() {
    let mut case = case("nan", [2, 2, 2], [3, 4, 5]);
    case.map[5] = f64::NAN;
    assert!(run(Isa::best(), &case, Layout::dense(2, 2, 3), 2, None).0.loss.is_nan());
}

#[test]
fn sizes_that_do_not_fit_are_an_error() {
    let shape = LocalHeadShape { channels: 2, width: 3, hidden: 4 };
    assert!(matches!(
        LocalHead::new(Isa::best(), LocalHeadShape { hidden: 0, ..shape }, 2, &mut crate::Buffers::counted()),
        Err(Error::Shape { .. })
    ));
    let mut head = LocalHead::new(Isa::best(), shape, 2, &mut crate::Buffers::allocated()).unwrap();
    let parameters = shape.parameter_lengths().map(|len| vec![0.1; len]);
    let mut step = |map: usize, features: usize, foreign: &[usize], positions: Option<&[usize]>| {
        let mut d = shape.parameter_lengths().map(|len| vec![0.0; len]);
        let (map, features) = (vec![0.1; map], vec![0.1; features]);
        let (mut d_map, mut d_features) = (map.clone(), features.clone());
        let [w1, b1, w2, b2, w3, b3] = &parameters;
        let params = LocalHeadParams { w1, b1, w2, b2, w3, b3 };
        let [w1, b1, w2, b2, w3, b3] = &mut d;
        let grads = LocalHeadGrads { w1, b1, w2, b2, w3, b3, map: &mut d_map, features: &mut d_features };
        let batch = LocalBatch { map: &map, layout: Layout::dense(1, 3, 2), features: &features, foreign, positions };
        head.step(batch, 1.0, params, grads)
    };
    step(12, 6, &[1, 0], None).unwrap();
    // Row 2 of two, more images than the head is for, none, and twice an image set against itself.
    for foreign in [&[1, 2][..], &[1, 2, 0], &[], &[1, 1], &[0]] {
        let n = foreign.len();
        assert!(matches!(step(6 * n, 3 * n, foreign, None), Err(Error::Shape { .. })), "{foreign:?}");
    }
    for positions in [&[][..], &[0, 3]] {
        assert!(matches!(step(12, 6, &[1, 0], Some(positions)), Err(Error::Shape { .. })), "{positions:?}");
    }
}
