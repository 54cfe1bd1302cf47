use super::{BackwardShape, BatchNormParams, Epilogue, GradientSource, Normalisation, Pool, RunningStats};
use crate::simd::worth_streaming;
use crate::test_support::{assert_close, noise};
use crate::{Buffer, Isa, Layout, chunk_count, chunk_images};

const EPS: f32 = 1e-5;
/// f32 against f64, relative to the largest entry: a few roundings and one cancellation.
const TOLERANCE: f64 = 5e-6;

struct Case {
    n: usize,
    z_layout: Layout,
    relu: bool,
    pool: Pool,
    residual: bool,
}

fn cases() -> Vec<Case> {
    let layout = |height, width, channels| Layout { height, width, channels, halo: 1 };
    vec![
        Case { n: 3, z_layout: layout(5, 7, 16), relu: true, pool: Pool::None, residual: false },
        Case { n: 2, z_layout: layout(4, 6, 24), relu: false, pool: Pool::None, residual: false },
        Case { n: 2, z_layout: layout(3, 4, 19), relu: true, pool: Pool::None, residual: true },
        Case { n: 3, z_layout: layout(5, 7, 8), relu: true, pool: Pool::Average2, residual: false },
        Case { n: 2, z_layout: layout(4, 2, 33), relu: true, pool: Pool::Average2, residual: false },
        Case { n: 70, z_layout: layout(2, 3, 17), relu: true, pool: Pool::Global, residual: false },
    ]
}

/// Dense f64: normalise by the batch, add, ReLU, pool.
fn reference(case: &Case, z: &[f64], weight: &[f64], bias: &[f64], residual: &[f64]) -> Vec<f64> {
    let Layout { height, width, channels, .. } = case.z_layout;
    let m = (case.n * height * width) as f64;
    let (out_h, out_w) = case.pool.output_sides(height, width);
    let (win_h, win_w) = case.pool.window(case.z_layout);
    let mut out = vec![0.0; case.n * out_h * out_w * channels];
    for c in 0..channels {
        let values = || z.iter().skip(c).step_by(channels);
        let mean = values().sum::<f64>() / m;
        let var = values().map(|v| (v - mean).powi(2)).sum::<f64>() / m;
        for n in 0..case.n {
            for y in 0..out_h * win_h {
                for x in 0..out_w * win_w {
                    let at = ((n * height + y) * width + x) * channels + c;
                    let mut v = weight[c] * (z[at] - mean) / (var + f64::from(EPS)).sqrt() + bias[c];
                    if case.residual {
                        v += residual[at];
                    }
                    if case.relu {
                        v = v.max(0.0);
                    }
                    out[((n * out_h + y / win_h) * out_w + x / win_w) * channels + c] += v / (win_h * win_w) as f64;
                }
            }
        }
    }
    out
}

fn padded(dense: &[f64], layout: Layout, n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n * layout.image_len()];
    let row = layout.width * layout.channels;
    for r in 0..n * layout.height {
        let to = &mut out[r / layout.height * layout.image_len()..][layout.row(r % layout.height)];
        to.iter_mut().zip(&dense[r * row..]).for_each(|(to, from)| *to = *from as f32);
    }
    out
}

fn dense(from: &[f32], layout: Layout, n: usize) -> Vec<f32> {
    (0..n * layout.height)
        .flat_map(|r| from[r / layout.height * layout.image_len()..][layout.row(r % layout.height)].to_vec())
        .collect()
}

fn sums_of(case: &Case, z: &[f64]) -> Vec<f64> {
    let channels = case.z_layout.channels;
    let image = case.z_layout.pixels() * channels;
    let mut sums = vec![0.0; chunk_count(case.n) * 2 * channels];
    for (at, v) in z.iter().enumerate() {
        let piece = at / image / chunk_images(case.n);
        sums[piece * 2 * channels + at % channels] += v;
        sums[(piece * 2 + 1) * channels + at % channels] += v * v;
    }
    sums
}

#[test]
fn forward_and_both_backward_passes_match_the_definition() {
    for isa in Isa::available() {
        for case in &cases() {
            let Case { n, z_layout, relu, pool, .. } = *case;
            let channels = z_layout.channels;
            let len = n * z_layout.pixels() * channels;
            let z: Vec<f64> = noise("z", len).iter().map(|v| f64::from((v + 0.3) as f32)).collect();
            let weight: Vec<f64> = noise("weight", channels).iter().map(|v| f64::from((1.0 + 0.2 * v) as f32)).collect();
            let bias: Vec<f64> = noise("bias", channels).iter().map(|v| f64::from((0.1 * v) as f32)).collect();
            let residual = noise("residual", len);
            let what = format!("{isa} {z_layout:?} {pool:?}");
            let f32s = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
            let (weight32, bias32) = (f32s(&weight), f32s(&bias));
            let params = BatchNormParams { weight: &weight32, bias: &bias32, eps: EPS };

            let (out_h, out_w) = pool.output_sides(z_layout.height, z_layout.width);
            let output = Layout { height: out_h, width: out_w, channels, halo: 1 };
            let epilogue = Epilogue::new(isa, z_layout, relu, pool, output).unwrap();
            let (mut mean, mut var) = (vec![0.5; channels], vec![2.0; channels]);
            let mut norm = Normalisation::new(channels);
            let running = RunningStats { mean: &mut mean, var: &mut var, momentum: 0.1 };
            norm.from_batch(n, z_layout.pixels(), &sums_of(case, &z), params, running);
            let m = (n * z_layout.pixels()) as f64;
            for c in 0..channels {
                let batch_mean = z.iter().skip(c).step_by(channels).sum::<f64>() / m;
                let batch_var = z.iter().skip(c).step_by(channels).map(|v| (v - batch_mean).powi(2)).sum::<f64>() / (m - 1.0);
                assert!((f64::from(mean[c]) - (0.45 + 0.1 * batch_mean)).abs() < 1e-6, "running mean: {what}");
                assert!((f64::from(var[c]) - (1.8 + 0.1 * batch_var)).abs() < 1e-6, "running variance: {what}");
            }

            let mut z32 = padded(&z, z_layout, n);
            let residual32 = padded(&residual, z_layout, n);
            let mut out = vec![0.0; n * output.image_len()];
            let with = case.residual.then_some((&residual32[..], z_layout));
            epilogue.forward(n, &z32, &norm, with, &mut out);
            let expected = reference(case, &z, &weight, &bias, &residual);
            assert_close(&dense(&out, output, n), &expected, TOLERANCE, &what);

            // The scalar loss is Σ out · r; its derivatives by central differences of the reference.
            let r = noise("r", expected.len());
            let loss = |z: &[f64], weight: &[f64], bias: &[f64]| -> f64 {
                reference(case, z, weight, bias, &residual).iter().zip(&r).map(|(o, r)| o * r).sum()
            };
            let mut d_out = f32s(&r);
            let shape = BackwardShape { isa, z: z_layout, source: GradientSource { relu: relu && !case.residual, pool } };
            let mut sums = vec![0.0; chunk_count(n) * 2 * channels];
            let (mut d_weight, mut d_bias) = (vec![0.0; channels], vec![0.0; channels]);
            let cut_off = case.residual.then_some((&out[..], output));
            shape.reduce(n, &mut d_out, cut_off, &z32, &mut norm, &mut sums, &mut d_weight, &mut d_bias);
            shape.write(&d_out, &mut z32, &norm);
            let difference = |at: usize, of: &dyn Fn(&[f64]) -> f64, x: &[f64]| {
                let step = 1e-6;
                let (mut up, mut down) = (x.to_vec(), x.to_vec());
                up[at] += step;
                down[at] -= step;
                (of(&up) - of(&down)) / (2.0 * step)
            };
            let gradient_tolerance = 2e-5;
            let by_weight: Vec<f64> = (0..channels).map(|at| difference(at, &|w| loss(&z, w, &bias), &weight)).collect();
            assert_close(&d_weight, &by_weight, gradient_tolerance, &format!("d_weight {what}"));
            let by_bias: Vec<f64> = (0..channels).map(|at| difference(at, &|b| loss(&z, &weight, b), &bias)).collect();
            assert_close(&d_bias, &by_bias, gradient_tolerance, &format!("d_bias {what}"));
            let d_z = dense(&z32, z_layout, n);
            let picked: Vec<usize> = (0..len).step_by(len.div_ceil(150)).collect();
            let by_z: Vec<f64> = picked.iter().map(|&at| difference(at, &|z| loss(z, &weight, &bias), &z)).collect();
            let of_z: Vec<f32> = picked.iter().map(|&at| d_z[at]).collect();
            assert_close(&of_z, &by_z, gradient_tolerance, &format!("d_z {what}"));
        }
    }
}

#[test]
fn evaluation_uses_the_running_statistics() {
    let params = BatchNormParams { weight: &[2.0], bias: &[0.5], eps: EPS };
    let mut norm = Normalisation::new(1);
    norm.from_running(&[3.0], &[4.0], params);
    let layout = Layout::dense(1, 2, 1);
    let mut out = [0.0; 2];
    Epilogue::new(Isa::best(), layout, true, Pool::None, layout).unwrap().forward(1, &[5.0, -9.0], &norm, None, &mut out);
    assert!((out[0] - 2.5).abs() < 1e-4, "{out:?}");
    assert_eq!(out[1], 0.0);
}

#[test]
fn not_a_number_goes_through() {
    let layout = Layout::dense(1, 1, 1);
    let norm = Normalisation { mean: vec![0.0], inv_std: vec![1.0], scale: vec![1.0], ..Normalisation::new(1) };
    let mut out = [0.0];
    Epilogue::new(Isa::best(), layout, true, Pool::None, layout).unwrap().forward(1, &[f32::NAN], &norm, None, &mut out);
    assert!(out[0].is_nan());
}

#[test]
fn large_results_are_the_same_bits_though_they_go_past_the_caches() {
    let (n, layout) = (66, Layout { height: 32, width: 32, channels: 16, halo: 1 });
    let mut z = Buffer::zeros(n * layout.image_len());
    z.iter_mut().zip(noise("z", n * layout.image_len())).for_each(|(to, from)| *to = from as f32);
    let norm = Normalisation { scale: vec![0.5; 16], shift: vec![0.25; 16], ..Normalisation::new(16) };
    for isa in Isa::available() {
        let epilogue = Epilogue::new(isa, layout, true, Pool::None, layout).unwrap();
        for residual in [None, Some((&z[..], layout))] {
            let mut out = Buffer::zeros(z.len());
            assert!(worth_streaming(&out, 16) || !cfg!(target_arch = "x86_64"), "this test must be of large results");
            epilogue.forward(n, &z, &norm, residual, &mut out);
            let mut one = vec![0.0; layout.image_len()];
            for (image, out) in out.chunks_exact(layout.image_len()).enumerate() {
                let at = image * layout.image_len();
                epilogue.forward(1, &z[at..], &norm, residual.map(|(from, layout)| (&from[at..], layout)), &mut one);
                assert!(one == out, "{isa}: image {image}");
            }
        }
    }
}
