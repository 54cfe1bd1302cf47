//! The definitions, in f64, one loop an index.

use super::spec::ConvSpec;

/// Visits every product of the convolution: (input index, weight index, output index), all images dense.
fn each_product(spec: ConvSpec, n: usize, (h, w): (usize, usize), mut visit: impl FnMut(usize, usize, usize)) {
    let ConvSpec { channels_in, channels_out, kernel, stride, padding } = spec;
    let (out_h, out_w) = (spec.output_side(h).unwrap(), spec.output_side(w).unwrap());
    for image in 0..n {
        for y in 0..out_h {
            for x in 0..out_w {
                for ky in 0..kernel {
                    for kx in 0..kernel {
                        let (in_y, in_x) = (y * stride + ky, x * stride + kx);
                        if in_y < padding || in_x < padding || in_y >= h + padding || in_x >= w + padding {
                            continue;
                        }
                        for i in 0..channels_in {
                            for o in 0..channels_out {
                                visit(
                                    ((image * h + in_y - padding) * w + in_x - padding) * channels_in + i,
                                    ((ky * kernel + kx) * channels_in + i) * channels_out + o,
                                    ((image * out_h + y) * out_w + x) * channels_out + o,
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn forward(spec: ConvSpec, n: usize, sides: (usize, usize), input: &[f64], weights: &[f64]) -> Vec<f64> {
    let pixels = spec.output_side(sides.0).unwrap() * spec.output_side(sides.1).unwrap();
    let mut output = vec![0.0; n * pixels * spec.channels_out];
    each_product(spec, n, sides, |i, w, o| output[o] += input[i] * weights[w]);
    output
}

pub(super) fn data_gradient(spec: ConvSpec, n: usize, sides: (usize, usize), d_output: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut d_input = vec![0.0; n * sides.0 * sides.1 * spec.channels_in];
    each_product(spec, n, sides, |i, w, o| d_input[i] += d_output[o] * weights[w]);
    d_input
}

pub(super) fn weight_gradient(spec: ConvSpec, n: usize, sides: (usize, usize), input: &[f64], d_output: &[f64]) -> Vec<f64> {
    let mut d_weights = vec![0.0; spec.weight_len()];
    each_product(spec, n, sides, |i, w, o| d_weights[w] += input[i] * d_output[o]);
    d_weights
}
