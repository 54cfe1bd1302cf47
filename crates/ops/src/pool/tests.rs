use super::{AveragePool, MaxPool, global_average, global_average_gradient};
use crate::test_support::{assert_close, noise};
use crate::{Error, Isa, Layout};

#[test]
fn global_average_and_its_gradient() {
    let layout = Layout { height: 2, width: 3, channels: 5, halo: 1 };
    let n = 3;
    let mut input = vec![100.0; n * layout.image_len()];
    let values = noise("pool", n * 30);
    for r in 0..n * 2 {
        let row = &mut input[r / 2 * layout.image_len()..][layout.row(r % 2)];
        row.iter_mut().zip(&values[r * 15..]).for_each(|(to, from)| *to = *from as f32);
    }
    let mut out = vec![0.0; n * 5];
    global_average(n, &input, layout, &mut out);
    let expected: Vec<f64> =
        (0..n * 5).map(|at| (0..6).map(|p| values[at / 5 * 30 + p * 5 + at % 5]).sum::<f64>() / 6.0).collect();
    assert_close(&out, &expected, 1e-6, "global average");
    let mut d_in = vec![f32::NAN; n * 30];
    global_average_gradient(n, &out, 6, 5, &mut d_in);
    assert!(d_in.iter().enumerate().all(|(at, d)| *d == out[at / 30 * 5 + at % 5] * (1.0 / 6.0)));
}

#[test]
fn average_and_its_gradient_are_the_definitions_on_odd_sides_and_channels() {
    for isa in Isa::available() {
        for (height, width, channels, n) in [(5, 7, 19, 2), (6, 4, 16, 1), (2, 3, 8, 3), (3, 2, 41, 1)] {
            let layout = Layout { height, width, channels, halo: 1 };
            let pool = AveragePool::new(isa, layout, 2).unwrap();
            let (o, what) = (pool.output, format!("{isa}, {height} x {width} x {channels}"));
            assert_eq!((o.height, o.width, o.halo), (height / 2, width / 2, 2));
            let values = noise("average", n * height * width * channels);
            let mut input = vec![f32::NAN; n * layout.image_len()];
            for (at, from) in values.chunks_exact(width * channels).enumerate() {
                let to = &mut input[at / height * layout.image_len()..][layout.row(at % height)];
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
            }
            let mut out = vec![7.0; n * o.image_len()];
            pool.forward(n, &input, &mut out);
            let d_out = noise("d_out", n * o.pixels() * channels);
            let mut d_expected = vec![0.0; values.len()];
            let mut inner = Vec::new();
            let mut expected = Vec::new();
            for (at, d) in d_out.iter().enumerate() {
                let (c, x, y, image) =
                    (at % channels, at / channels % o.width, at / channels / o.width % o.height, at / channels / o.pixels());
                let window = [(0, 0), (0, 1), (1, 0), (1, 1)]
                    .map(|(down, right)| ((image * height + 2 * y + down) * width + 2 * x + right) * channels + c);
                expected.push(window.iter().map(|at| values[*at]).sum::<f64>() / 4.0);
                inner.push(out[image * o.image_len() + o.offset(y, x) + c]);
                window.iter().for_each(|at| d_expected[*at] = d / 4.0);
            }
            assert_close(&inner, &expected, 1e-6, &what);
            assert_eq!(
                out.iter().filter(|value| **value == 7.0).count(),
                out.len() - inner.len(),
                "the halo is left alone: {what}"
            );
            let d_out: Vec<f32> = d_out.iter().map(|x| *x as f32).collect();
            let mut d_in = vec![f32::NAN; values.len()];
            pool.gradient(n, &d_out, &mut d_in);
            assert_close(&d_in, &d_expected, 1e-6, &what);
        }
    }
    assert!(matches!(AveragePool::new(Isa::best(), Layout::dense(1, 5, 2), 0), Err(Error::Shape { .. })));
    assert!(matches!(MaxPool::new(Isa::best(), Layout::dense(0, 5, 2), 0), Err(Error::Shape { .. })));
}

#[test]
fn maximum_takes_the_first_of_equals_and_sends_the_gradient_there() {
    // One channel, 3 x 4 pixels in a halo whose large values must never win.
    let layout = Layout { height: 3, width: 4, channels: 1, halo: 1 };
    let image = [1.0, 5.0, 2.0, -1.0, 5.0, 5.0, 0.0, -3.0, -2.0, 0.0, -7.0, -8.0];
    let mut input = vec![9.0; layout.image_len()];
    for y in 0..3 {
        input[layout.row(y)].copy_from_slice(&image[y * 4..][..4]);
    }
    let pool = MaxPool::new(Isa::best(), layout, 0).unwrap();
    assert_eq!((pool.output.height, pool.output.width), (2, 2));
    let (mut out, mut winners) = (vec![0.0; 4], vec![0; 4]);
    pool.forward(1, &input, &mut out, &mut winners);
    assert_eq!(out, [5.0, 5.0, 5.0, 5.0]);
    let mut d_in = vec![f32::NAN; 12];
    pool.gradient(1, &[1.0, 10.0, 100.0, 1000.0], &winners, &mut d_in);
    let mut expected = [0.0; 12];
    // Windows of (0,0) and (0,1) both meet the 5 in row 0, column 1 first; those of row 1 meet (1,0) and (1,1) first.
    expected[1] = 11.0;
    expected[4] = 100.0;
    expected[5] = 1000.0;
    assert_eq!(d_in, expected);
}

#[test]
fn maximum_and_its_gradient_are_the_definitions_on_odd_sides_and_channels() {
    for isa in Isa::available() {
        for (height, width, channels, n) in [(5, 7, 19, 2), (6, 4, 16, 1), (1, 1, 3, 1), (2, 9, 40, 3)] {
            let layout = Layout { height, width, channels, halo: 1 };
            let pool = MaxPool::new(isa, layout, 1).unwrap();
            let values = noise("maximum", n * height * width * channels);
            let dense = |image: usize, y: usize, x: usize, c: usize| ((image * height + y) * width + x) * channels + c;
            let mut input = vec![7.0; n * layout.image_len()];
            for (image, y) in (0..n).flat_map(|image| (0..height).map(move |y| (image, y))) {
                let from = &values[dense(image, y, 0, 0)..][..width * channels];
                let to = &mut input[image * layout.image_len()..][layout.row(y)];
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from as f32);
            }
            let o = pool.output;
            let mut out = vec![0.0; n * o.image_len()];
            let mut winners = vec![0; n * o.pixels() * channels];
            pool.forward(n, &input, &mut out, &mut winners);
            let d_out: Vec<f32> = noise("d_out", winners.len()).iter().map(|x| *x as f32).collect();
            let mut expected = vec![0.0f32; values.len()];
            for (at, d) in d_out.iter().enumerate() {
                let (c, x, y) = (at % channels, at / channels % o.width, at / channels / o.width % o.height);
                let image = at / channels / o.pixels();
                let inside = |from: usize, side: usize| (2 * from).saturating_sub(1)..(2 * from + 2).min(side);
                let window: Vec<usize> =
                    inside(y, height).flat_map(|y| inside(x, width).map(move |x| dense(image, y, x, c))).collect();
                // Of equals the first: `max_by` alone would take the last.
                let best = window.into_iter().rev().max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
                assert_eq!(out[image * o.image_len() + o.offset(y, x) + c], values[best] as f32, "{isa}, {height} x {width}");
                expected[best] += d;
            }
            let mut d_in = vec![f32::NAN; values.len()];
            pool.gradient(n, &d_out, &winners, &mut d_in);
            assert_eq!(d_in, expected, "{isa}, {height} x {width}");
        }
    }
}
