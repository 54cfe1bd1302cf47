//! Relation heads of several hidden layers.

use super::{Fixture, fill};
use relata_model::{Aggregation, Buffers, Compute, PairLoss, RelationHeadConfig};
use relata_train::{Method, Relational};

#[test]
fn deep_relation_heads_and_their_gradients_are_those_of_pytorch() {
    let fixture = Fixture::read("relational");
    assert_eq!(fixture.cases.len(), 3);
    for case in fixture.cases.keys() {
        for aggregation in Aggregation::ALL {
            for (name, loss) in [("bce", PairLoss::Bce), ("focal", PairLoss::Focal { gamma: 2.0, alpha: 0.5 })] {
                let batch = fixture.batch(case);
                let [hidden, layers, shifts] = ["hidden", "layers", "shifts"].map(|key| fixture.size(case, key));
                let config = RelationHeadConfig { aggregation, hidden, layers, loss, shifts };
                let compute = Compute::new(2).unwrap();
                let mut method = Relational::new(&config, fixture.shape(case, 0), 1, compute, &mut Buffers::allocated()).unwrap();
                fill(method.parameters_mut(), "relation/");
                let step = method.step(&fixture.features(case, batch.rows()), batch, &[]).unwrap();
                let key = format!("{case}.{}.{name}", aggregation.name());
                fixture.assert_close(&format!("{key}.loss"), &[step.loss as f32]);
                let figure = |name| step.figures.iter().find(|(figure, _)| *figure == name).unwrap().1 as f32;
                fixture.assert_close(&format!("{key}.pair_acc"), &[figure("pair_acc_pos"), figure("pair_acc_neg")]);
                fixture.assert_gradients(&key, &method);
                assert_eq!(method.parameters().norms().len(), layers);
                for norm in method.parameters().norms() {
                    fixture.assert_close(&format!("{key}.{}.running_mean", norm.name), &norm.mean);
                    fixture.assert_close(&format!("{key}.{}.running_var", norm.name), &norm.var);
                }
            }
        }
    }
}
