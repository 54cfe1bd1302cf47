//! Deep InfoMax: both terms, and the gradients of features, map and both discriminators.

use crate::{Fixture, fill};
use relata_model::{Activation, Buffers, Compute, Layout};
use relata_testkit::hash_uniforms;
use relata_train::{BatchShape, DeepInfoMax, DeepInfoMaxConfig, Error, HeadShape, Method};

fn layout(fixture: &Fixture, case: &str) -> Layout {
    let [height, columns, channels] = ["height", "columns", "channels"].map(|key| fixture.size(case, key));
    Layout::dense(height, columns, channels)
}

fn method(fixture: &Fixture, case: &str, config: DeepInfoMaxConfig) -> DeepInfoMax {
    let shape = HeadShape { first_map: layout(fixture, case), ..fixture.shape(case, 0) };
    let mut method = DeepInfoMax::new(&config, shape, 1, Compute::new(2).unwrap(), &mut Buffers::allocated()).unwrap();
    fill(method.parameters_mut(), "deepinfomax/");
    method
}

fn config(fixture: &Fixture, case: &str) -> DeepInfoMaxConfig {
    let [local, prior] = ["local", "prior"].map(|key| fixture.cases[case][key].as_f64().unwrap());
    DeepInfoMaxConfig { local, prior, hidden: fixture.size(case, "hidden"), places: 0 }
}

/// Maps within a halo, of numbers that must not be read.
fn map(fixture: &Fixture, case: &str, halo: usize) -> (Vec<f32>, Layout) {
    let (dense, rows) = (layout(fixture, case), fixture.batch(case).rows());
    let values = hash_uniforms(&format!("deepinfomax-{case}/map"), rows * dense.image_len());
    let layout = dense.with_halo(halo);
    let mut map = vec![f32::NAN; rows * layout.image_len()];
    for (at, row) in values.chunks_exact(dense.row_pitch()).enumerate() {
        let to = &mut map[at / dense.height * layout.image_len()..][layout.row(at % dense.height)];
        to.iter_mut().zip(row).for_each(|(to, v)| *to = (1.5 * v).max(0.0) as f32);
    }
    (map, layout)
}

fn uniform(fixture: &Fixture, case: &str) -> Vec<f32> {
    let len = fixture.batch(case).rows() * fixture.size(case, "width");
    hash_uniforms(&format!("deepinfomax-{case}/uniform"), len).iter().map(|v| ((v + 1.0) / 2.0) as f32).collect()
}

#[test]
fn both_terms_of_deep_infomax_and_their_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("deepinfomax");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        for halo in [0, 1] {
            let mut method = method(&fixture, case, config(&fixture, case));
            let batch = fixture.batch(case);
            let (data, layout) = map(&fixture, case, halo);
            let (features, uniform) = (fixture.features(case, batch.rows()), uniform(&fixture, case));
            let step = method.step_against(&features, Activation { data: &data, layout }, batch, &uniform, None).unwrap();
            fixture.assert_close(&format!("{case}.loss"), &[step.loss as f32]);
            assert_eq!(step.figures.iter().map(|figure| figure.0).collect::<Vec<_>>(), ["local_acc", "local_loss", "prior_loss"]);
            for (name, value) in &step.figures {
                fixture.assert_close(&format!("{case}.{name}"), &[*value as f32]);
            }
            fixture.assert_close(&format!("{case}.d_features"), method.d_features());
            let d_taps = method.d_taps();
            assert_eq!(d_taps.len(), 1);
            fixture.assert_close(&format!("{case}.d_map"), d_taps[0]);
            for gradient in method.parameters().torch_gradients() {
                let name = format!("{case}.grad.{}", gradient.name);
                if gradient.name == "prior.linear2.weight" {
                    let (right, left) = (hash_uniforms("deepinfomax/right", 512), hash_uniforms("deepinfomax/left", 128));
                    let entry = |row: usize, column: usize| f64::from(gradient.data[row * 512 + column]);
                    let by_rows: Vec<f32> =
                        (0..128).map(|r| (0..512).map(|c| entry(r, c) * right[c]).sum::<f64>() as f32).collect();
                    let by_columns: Vec<f32> =
                        (0..512).map(|c| (0..128).map(|r| entry(r, c) * left[r]).sum::<f64>() as f32).collect();
                    fixture.assert_close(&format!("{name}.right"), &by_rows);
                    fixture.assert_close(&format!("{name}.left"), &by_columns);
                } else {
                    fixture.assert_close(&name, &gradient.data);
                }
            }
        }
    }
}

#[test]
fn a_step_draws_anew_and_a_restored_one_the_same_again() {
    let fixture = Fixture::read("deepinfomax");
    let case = "resnet";
    let (batch, features) = (fixture.batch(case), fixture.features(case, fixture.batch(case).rows()));
    let (data, layout) = map(&fixture, case, 1);
    let map = [Activation { data: &data, layout }];
    for places in [0, 5] {
        let mut first = method(&fixture, case, DeepInfoMaxConfig { places, ..config(&fixture, case) });
        let steps = |method: &mut DeepInfoMax, count: usize| -> Vec<_> {
            (0..count).map(|_| method.step_with_taps(&features, &map, batch, &[]).unwrap().figures).collect()
        };
        let all = steps(&mut first, 3);
        // The parameters stay: only the draws differ. Of all places the local term draws nothing.
        assert!(all[0][2] != all[1][2] && all[1][2] != all[2][2]);
        assert_eq!(all[0][1] == all[1][1], places == 0);
        let saved = first.state();
        let mut second = method(&fixture, case, DeepInfoMaxConfig { places, ..config(&fixture, case) });
        second
            .restore(&|name| saved.iter().find(|(n, _)| *n == name).map(|(_, data)| data.clone()).ok_or(String::new()))
            .unwrap();
        assert_eq!(steps(&mut first, 2), steps(&mut second, 2));
        for damaged in [vec![], vec![1.0], vec![0.5, 0.0], vec![f32::NAN, 0.0], vec![-1.0, 0.0], vec![1e8, 0.0]] {
            assert!(second.restore(&|_| Ok(damaged.clone())).is_err(), "{damaged:?}");
        }
        second.restore(&|_| Ok(vec![16_777_215.0, 3.0])).unwrap();
        steps(&mut second, 1);
        assert_eq!(second.state()[0].1, [0.0, 4.0]);
    }
}

#[test]
fn places_are_drawn_without_one_twice_and_all_are_reached() {
    let fixture = Fixture::read("deepinfomax");
    let case = "resnet";
    let (batch, features) = (fixture.batch(case), fixture.features(case, fixture.batch(case).rows()));
    let (data, layout) = map(&fixture, case, 0);
    let mut method = method(&fixture, case, DeepInfoMaxConfig { places: 5, ..config(&fixture, case) });
    let mut seen = vec![0; layout.pixels()];
    for _ in 0..60 {
        method.step_with_taps(&features, &[Activation { data: &data, layout }], batch, &[]).unwrap();
        let d_map = method.d_taps()[0];
        let looked_at = |image: usize, place: usize| {
            d_map[image * layout.image_len() + place * layout.channels..][..layout.channels].iter().any(|d| *d != 0.0)
        };
        let places: Vec<usize> = (0..layout.pixels()).filter(|&place| looked_at(0, place)).collect();
        assert_eq!(places.len(), 5);
        assert!(
            (1..batch.rows()).all(|image| (0..layout.pixels()).all(|place| looked_at(image, place) == places.contains(&place)))
        );
        places.iter().for_each(|place| seen[*place] += 1);
    }
    // 300 draws of 42 places: 7 each, give or take.
    assert!(seen.iter().all(|count| (1..=18).contains(count)), "{seen:?}");
}

#[test]
fn deep_infomax_steps_only_with_the_map_of_its_batch() {
    let fixture = Fixture::read("deepinfomax");
    let case = "smallest";
    let (batch, features) = (fixture.batch(case), fixture.features(case, fixture.batch(case).rows()));
    let (data, layout) = map(&fixture, case, 0);
    let mut method = method(&fixture, case, config(&fixture, case));
    assert!(matches!(method.step(&features, batch, &[]), Err(Error::Taps { .. })));
    let map = Activation { data: &data, layout };
    let half = Activation { data: &data[..data.len() / 2], layout };
    let other = Activation { data: &data, layout: Layout::dense(layout.height, layout.width * layout.channels, 1) };
    for taps in [&[][..], &[map, map], &[half], &[other]] {
        assert!(matches!(method.step_with_taps(&features, taps, batch, &[]), Err(Error::Taps { .. })), "{}", taps.len());
    }
    let fewer = BatchShape { images: batch.images - 1, ..batch };
    assert!(matches!(method.step_with_taps(&features, &[map], fewer, &[]), Err(Error::Model(_))));
    method.step_with_taps(&features, &[map], batch, &[]).unwrap();
}
