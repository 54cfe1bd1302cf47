//! Single kernels on one thread, for `cargo bench -p relata-ops`: convolution in both of its forms, batch norm, the pair
//! head, Adam. Throughputs are in products (convolution), values (batch norm, Adam) or pair rows (head).
//!
//! How these compare with the processor's peak, layer by layer: `cargo xtask bench --only kernels`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use relata_ops::{
    AdamStep, Algorithm, BackwardShape, BatchNormParams, Buffer, Conv2d, ConvSpec, Epilogue, GradientSource, Isa, Layout,
    Normalisation, PairHead, PairHeadGrads, PairHeadParams, PairLoss, Pool, RunningStats, adam_step, chunk_count,
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
        for algorithm in [Algorithm::Fastest, Algorithm::Direct] {
            let halo = Conv2d::gradient_halo(spec, from);
            let layer = Conv2d::with_algorithm(Isa::best(), spec, from, halo, algorithm).expect("a layer that fits");
            let (input, weights) = (noise(IMAGES * layer.input().image_len()), noise(spec.weight_len()));
            // Of the output only the halo has to be zero; noise there does not change the time.
            let mut output = noise(IMAGES * layer.output().image_len());
            let mut packed = Buffer::zeros(layer.forward_packed_len());
            let mut packed_backward = Buffer::zeros(layer.backward_packed_len());
            layer.pack_forward(&weights, &mut packed);
            layer.pack_backward(&weights, &mut packed_backward);
            let mut d_input = Buffer::zeros(IMAGES * from.pixels() * channels_in);
            let mut workspace = Buffer::zeros(layer.gradient_workspace_len(IMAGES));
            let mut d_weights = Buffer::zeros(spec.weight_len());
            let name = format!("{side} px, {channels_in} to {channels_out}, stride {stride}, {algorithm:?}");
            group.throughput(Throughput::Elements(IMAGES as u64 * spec.forward_flops(layer.output()) / 2));
            group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
                bencher.iter(|| thread.install(|| layer.forward(IMAGES, &input, &packed, &mut output, None)));
            });
            group.bench_function(BenchmarkId::new("data gradient", &name), |bencher| {
                bencher.iter(|| thread.install(|| layer.data_gradient(IMAGES, &output, &packed_backward, &mut d_input, false)));
            });
            group.bench_function(BenchmarkId::new("weight gradient", &name), |bencher| {
                bencher
                    .iter(|| thread.install(|| layer.weight_gradient(IMAGES, &input, &output, &mut workspace, &mut d_weights)));
            });
        }
    }
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
    for views in [4, 32] {
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

criterion_group!(benches, convolution, batch_norm, pair_head, adam);
criterion_main!(benches);
