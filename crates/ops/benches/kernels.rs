//! Single kernels on one thread, for `cargo bench -p relata-ops`: convolution in both of its forms, linear layers, batch
//! norm, pools, the pair head, Deep InfoMax's local head, Adam. Throughputs are in products (convolution, linear layers),
//! values (batch norm, pools, Adam), pair rows or positions. Results are checked before anything is timed.
//!
//! How these compare with the processor's peak, layer by layer: `cargo xtask bench --only kernels`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relata_ops::{
    AdamStep, Algorithm, AveragePool, BackwardShape, BatchNormParams, Buffer, Buffers, Conv2d, ConvSpec, Epilogue,
    GradientSource, Isa, Layout, LocalBatch, LocalHead, LocalHeadGrads, LocalHeadParams, LocalHeadShape, MatRef, MaxPool,
    Normalisation, PairHead, PairHeadGrads, PairHeadParams, PairLoss, Pool, RunningStats, adam_step, chunk_count, global_average,
    matmul, matmul_of_transposed, matmul_transposed,
};

/// Values between −1 and 1 without a short period: a processor foresees the branches of repeated data.
fn noise(len: usize) -> Buffer {
    let mut state = 1_u32;
    let mut values = Buffer::zeros(len);
    for value in values.iter_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
    }
    values
}

/// Whether two results differ by rounding alone.
fn assert_agree(a: &[f32], b: &[f32], what: &str) {
    let largest = b.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.len() == b.len() && largest > 0.0 && worst <= 1e-4 * largest, "{what}: off by {worst} of {largest}");
}

fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread")
}

fn convolution(c: &mut Criterion) {
    const IMAGES: usize = 64;
    let thread = one_thread();
    let mut group = c.benchmark_group("convolution");
    for (side, channels_in, channels_out, stride) in
        [(32, 3, 16, 1), (32, 16, 16, 1), (16, 32, 32, 1), (8, 64, 64, 1), (16, 32, 64, 2), (12, 128, 128, 1)]
    {
        let spec = ConvSpec { channels_in, channels_out, kernel: 3, stride, padding: 1 };
        let from = Layout { height: side, width: side, channels: channels_in, halo: 1 };
        let mut results: Option<(Buffer, Buffer, Buffer)> = None;
        // Other layers have the direct form alone.
        let winograd = stride == 1 && channels_in.is_multiple_of(16);
        for algorithm in [Algorithm::Direct, Algorithm::Auto].into_iter().take(1 + usize::from(winograd)) {
            let halo = Conv2d::gradient_halo(spec, from);
            let layer = Conv2d::with_algorithm(Isa::best(), spec, from, halo, algorithm).expect("a layer that fits");
            let (input, weights) = (noise(IMAGES * layer.input().image_len()), noise(spec.weight_len()));
            let mut output = Buffer::zeros(IMAGES * layer.output().image_len());
            let mut d_output = noise(output.len());
            layer.output().clear_halo(IMAGES, &mut d_output);
            let mut packed = Buffer::zeros(layer.forward_packed_len());
            let mut packed_backward = Buffer::zeros(layer.backward_packed_len());
            layer.pack_forward(&weights, &mut packed);
            layer.pack_backward(&weights, &mut packed_backward);
            let mut d_input = Buffer::zeros(IMAGES * from.pixels() * channels_in);
            let mut workspace = Buffer::zeros(layer.gradient_workspace_len(IMAGES));
            let mut d_weights = Buffer::zeros(spec.weight_len());
            let name = format!("{side} px, {channels_in} to {channels_out}, stride {stride}, {algorithm:?}");
            layer.forward(IMAGES, &input, &packed, &mut output, None);
            layer.data_gradient(IMAGES, &d_output, &packed_backward, &mut d_input, false);
            layer.weight_gradient(IMAGES, &input, &d_output, &mut workspace, &mut d_weights);
            if let Some((expected, d_expected, d_expected_weights)) = &results {
                assert_agree(&output, expected, &name);
                assert_agree(&d_input, d_expected, &name);
                assert_agree(&d_weights, d_expected_weights, &name);
            }
            results = Some((output.clone(), d_input.clone(), d_weights.clone()));
            group.throughput(Throughput::Elements(IMAGES as u64 * spec.forward_flops(layer.output()) / 2));
            group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
                bencher.iter(|| thread.install(|| layer.forward(IMAGES, &input, &packed, &mut output, None)));
            });
            group.bench_function(BenchmarkId::new("data gradient", &name), |bencher| {
                bencher.iter(|| thread.install(|| layer.data_gradient(IMAGES, &d_output, &packed_backward, &mut d_input, false)));
            });
            group.bench_function(BenchmarkId::new("weight gradient", &name), |bencher| {
                bencher
                    .iter(|| thread.install(|| layer.weight_gradient(IMAGES, &input, &d_output, &mut workspace, &mut d_weights)));
            });
        }
    }
    group.finish();
}

fn linear(c: &mut Criterion) {
    let (thread, isa) = (one_thread(), Isa::best());
    let mut group = c.benchmark_group("linear");
    for (rows, inner, columns) in [(2048, 64, 256), (2048, 512, 256), (4096, 256, 256)] {
        let (input, weights, d_out) = (noise(rows * inner), noise(columns * inner), noise(rows * columns));
        let (mut out, mut d_input, mut d_weights) =
            (Buffer::zeros(rows * columns), Buffer::zeros(rows * inner), Buffer::zeros(columns * inner));
        matmul_transposed(isa, MatRef::new(&input, rows, inner), MatRef::new(&weights, columns, inner), &mut out, false);
        let expected: f32 = input[inner..2 * inner].iter().zip(&weights[2 * inner..]).map(|(a, b)| a * b).sum();
        assert!((out[columns + 2] - expected).abs() < 1e-3, "a linear layer gives {}, expected {expected}", out[columns + 2]);
        let name = format!("{rows} rows, {inner} to {columns}");
        group.throughput(Throughput::Elements((rows * inner * columns) as u64));
        group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
            bencher.iter(|| {
                thread.install(|| {
                    matmul_transposed(
                        isa,
                        MatRef::new(&input, rows, inner),
                        MatRef::new(&weights, columns, inner),
                        &mut out,
                        false,
                    )
                })
            });
        });
        group.bench_function(BenchmarkId::new("data gradient", &name), |bencher| {
            bencher.iter(|| {
                thread.install(|| {
                    matmul(isa, MatRef::new(&d_out, rows, columns), MatRef::new(&weights, columns, inner), &mut d_input, false)
                })
            });
        });
        group.bench_function(BenchmarkId::new("weight gradient", &name), |bencher| {
            bencher.iter(|| {
                thread.install(|| {
                    matmul_of_transposed(
                        isa,
                        MatRef::new(&d_out, rows, columns),
                        MatRef::new(&input, rows, inner),
                        &mut d_weights,
                    )
                })
            });
        });
    }
    group.finish();
}

fn pools(c: &mut Criterion) {
    const IMAGES: usize = 64;
    let (thread, isa) = (one_thread(), Isa::best());
    let mut group = c.benchmark_group("pool");
    let layout = |side: usize, channels: usize| Layout { height: side, width: side, channels, halo: 1 };

    let maximum = MaxPool::new(isa, layout(48, 64), 1).expect("sides that fit");
    let (mut input, dense) = (noise(IMAGES * maximum.input.image_len()), IMAGES * maximum.output.pixels() * 64);
    maximum.input.clear_halo(IMAGES, &mut input);
    let (mut out, mut winners) = (Buffer::zeros(IMAGES * maximum.output.image_len()), vec![0; dense]);
    let (d_out, mut d_input) = (noise(dense), Buffer::zeros(IMAGES * maximum.input.pixels() * 64));
    maximum.forward(IMAGES, &input, &mut out, &mut winners);
    let window = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| input[maximum.input.offset(y, x)]);
    assert_eq!(out[maximum.output.offset(0, 0)], window.into_iter().fold(f32::MIN, f32::max), "a maximum");
    group.throughput(Throughput::Elements((IMAGES * maximum.input.pixels() * 64) as u64));
    group.bench_function("maximum, 48 px, 64 channels, forward", |bencher| {
        bencher.iter(|| thread.install(|| maximum.forward(IMAGES, &input, &mut out, &mut winners)));
    });
    group.bench_function("maximum, 48 px, 64 channels, gradient", |bencher| {
        bencher.iter(|| thread.install(|| maximum.gradient(IMAGES, &d_out, &winners, &mut d_input)));
    });

    let average = AveragePool::new(isa, layout(32, 8), 1).expect("sides that fit");
    let input = noise(IMAGES * average.input.image_len());
    let (mut out, d_out) = (Buffer::zeros(IMAGES * average.output.image_len()), noise(IMAGES * average.output.pixels() * 8));
    let mut d_input = Buffer::zeros(IMAGES * average.input.pixels() * 8);
    average.forward(IMAGES, &input, &mut out);
    let window = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| input[average.input.offset(y, x)]);
    assert!((out[average.output.offset(0, 0)] - window.iter().sum::<f32>() / 4.0).abs() < 1e-6, "an average");
    group.throughput(Throughput::Elements((IMAGES * average.input.pixels() * 8) as u64));
    group.bench_function("average, 32 px, 8 channels, forward", |bencher| {
        bencher.iter(|| thread.install(|| average.forward(IMAGES, &input, &mut out)));
    });
    group.bench_function("average, 32 px, 8 channels, gradient", |bencher| {
        bencher.iter(|| thread.install(|| average.gradient(IMAGES, &d_out, &mut d_input)));
    });

    let from = Layout { halo: 0, ..layout(3, 512) };
    let (input, mut out) = (noise(IMAGES * from.image_len()), vec![0.0; IMAGES * 512]);
    group.throughput(Throughput::Elements((IMAGES * from.pixels() * 512) as u64));
    group.bench_function("global average, 3 px, 512 channels, forward", |bencher| {
        bencher.iter(|| thread.install(|| global_average(IMAGES, &input, from, &mut out)));
    });
    group.finish();
}

fn batch_norm(c: &mut Criterion) {
    const IMAGES: usize = 64;
    let thread = one_thread();
    let mut group = c.benchmark_group("batch norm");
    for (side, channels, pool) in [(32, 16, Pool::None), (8, 64, Pool::None), (32, 8, Pool::Average2)] {
        let layout = Layout { height: side, width: side, channels, halo: 1 };
        let (height, width) = pool.output_sides(side, side);
        let isa = Isa::best();
        let epilogue = Epilogue::new(isa, layout, true, pool, Layout { height, width, ..layout }).expect("sides that fit");
        let z = noise(IMAGES * layout.image_len());
        let mut out = Buffer::zeros(IMAGES * epilogue.output().image_len());
        let mut norm = Normalisation::new(channels);
        let (ones, zeros) = (vec![1.0; channels], vec![0.0; channels]);
        norm.from_running(&zeros, &ones, BatchNormParams { weight: &ones, bias: &zeros, eps: 1e-5 });
        let shape = BackwardShape { isa, z: layout, source: GradientSource { relu: true, pool } };
        let mut d_out = noise(IMAGES * shape.gradient().image_len());
        let mut sums = vec![0.0; chunk_count(IMAGES) * 2 * channels];
        let (mut d_weight, mut d_bias) = (zeros.clone(), zeros);
        // Written over and over, so it starts from a copy of its own.
        let mut d_z = noise(IMAGES * layout.image_len());
        let name = format!("{side} px, {channels} channels, {pool:?}");
        group.throughput(Throughput::Elements((IMAGES * layout.pixels() * channels) as u64));
        group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
            bencher.iter(|| thread.install(|| epilogue.forward(IMAGES, &z, &norm, None, &mut out)));
        });
        group.bench_function(BenchmarkId::new("backward, reduce", &name), |bencher| {
            bencher.iter(|| {
                thread.install(|| shape.reduce(IMAGES, &mut d_out, None, &z, &mut norm, &mut sums, &mut d_weight, &mut d_bias))
            });
        });
        group.bench_function(BenchmarkId::new("backward, write", &name), |bencher| {
            bencher.iter(|| thread.install(|| shape.write(&d_out, &mut d_z, &norm)));
        });
    }
    group.finish();
}

fn pair_head(c: &mut Criterion) {
    const IMAGES: usize = 64;
    const HIDDEN: usize = 256;
    let thread = one_thread();
    let mut group = c.benchmark_group("pair head");
    for views in [4, 8, 16, 32] {
        let len = views * IMAGES * HIDDEN;
        let (left, right) = (noise(len), noise(len));
        let (mut d_left, mut d_right) = (Buffer::zeros(len), Buffer::zeros(len));
        let (ones, zeros, w2) = (vec![1.0; HIDDEN], vec![0.0; HIDDEN], noise(HIDDEN));
        let params = PairHeadParams { bias: &zeros, bn_weight: &ones, bn_bias: &zeros, w2: &w2, b2: 0.0 };
        let [mut bias, mut bn_weight, mut bn_bias, mut d_w2] = [(); 4].map(|()| vec![0.0; HIDDEN]);
        let (mut b2, mut mean, mut var) = (0.0, zeros.clone(), ones.clone());
        let mut head = PairHead::new(Isa::best(), views, IMAGES, HIDDEN).expect("a head that fits");
        group.throughput(Throughput::Elements((IMAGES * (views * views - views)) as u64));
        group.bench_function(BenchmarkId::new("forward and backward", format!("K = {views}")), |bencher| {
            bencher.iter(|| {
                thread.install(|| {
                    let grads = PairHeadGrads {
                        bias: &mut bias,
                        bn_weight: &mut bn_weight,
                        bn_bias: &mut bn_bias,
                        w2: &mut d_w2,
                        b2: &mut b2,
                    };
                    let running = RunningStats { mean: &mut mean, var: &mut var, momentum: 0.1 };
                    head.forward_backward(IMAGES, &left, &right, params, running, PairLoss::Bce, &mut d_left, &mut d_right, grads)
                        .expect("a batch that fits")
                })
            });
        });
    }
    group.finish();
}

fn local_head(c: &mut Criterion) {
    const IMAGES: usize = 64;
    let thread = one_thread();
    let shape = LocalHeadShape { channels: 8, width: 64, hidden: 256 };
    let layout = Layout::dense(8, 8, shape.channels);
    let (map, features) = (noise(IMAGES * layout.image_len()), noise(IMAGES * shape.width));
    let (mut d_map, mut d_features) = (Buffer::zeros(map.len()), Buffer::zeros(features.len()));
    let [w1, b1, w2, b2, w3, b3] = &shape.parameter_lengths().map(noise);
    let mut grads = shape.parameter_lengths().map(Buffer::zeros);
    let foreign: Vec<usize> = (0..IMAGES).map(|image| (image + 1) % IMAGES).collect();
    let mut head = LocalHead::new(Isa::best(), shape, IMAGES, &mut Buffers::allocated()).expect("a head that fits");
    let mut step = || {
        let [d_w1, d_b1, d_w2, d_b2, d_w3, d_b3] = &mut grads;
        let grads = LocalHeadGrads {
            w1: d_w1,
            b1: d_b1,
            w2: d_w2,
            b2: d_b2,
            w3: d_w3,
            b3: d_b3,
            map: &mut d_map,
            features: &mut d_features,
        };
        let batch = LocalBatch { map: &map, layout, features: &features, foreign: &foreign, positions: None };
        head.step(batch, 1.0, LocalHeadParams { w1, b1, w2, b2, w3, b3 }, grads).expect("a batch that fits").loss
    };
    let loss = step();
    assert!(loss.is_finite() && loss == step(), "the same loss of the same batch");
    let mut group = c.benchmark_group("local head");
    group.throughput(Throughput::Elements((IMAGES * layout.pixels()) as u64));
    group.bench_function("forward and backward, 64 positions", |bencher| bencher.iter(|| thread.install(&mut step)));
    group.finish();
}

fn adam(c: &mut Criterion) {
    // As many as ResNet-32 has.
    const PARAMETERS: usize = 464_000;
    let thread = one_thread();
    let mut group = c.benchmark_group("adam");
    group.throughput(Throughput::Elements(PARAMETERS as u64));
    let (mut values, gradients) = (noise(PARAMETERS), noise(PARAMETERS));
    let (mut m, mut v) = (Buffer::zeros(PARAMETERS), Buffer::zeros(PARAMETERS));
    let mut step = 0;
    group.bench_function("one step", |bencher| {
        bencher.iter(|| {
            thread.install(|| {
                step += 1;
                adam_step(Isa::best(), &AdamStep::number(step), &mut values, &gradients, &mut m, &mut v);
            })
        });
    });
    group.finish();
}

criterion_group!(benches, convolution, linear, batch_norm, pools, pair_head, local_head, adam);
criterion_main!(benches);
