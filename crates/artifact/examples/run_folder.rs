//! Writes a small run into a folder, kills it halfway, and resumes: `cargo run -p relata-artifact --example run_folder`

use std::collections::BTreeMap;

use relata_artifact::{Checkpoint, Metrics, RunFolder, TensorRef};

#[expect(clippy::print_stdout, reason = "an example shows what it did")]
fn main() -> relata_artifact::Result<()> {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let out = parent.path().join("shapes-conv4");

    let run = RunFolder::create(&out, false)?;
    run.write_config("seed = 1\n[train]\nepochs = 2\n")?;
    let mut weight = [0.0_f32; 4];
    let mut metrics = run.metrics_writer()?;
    for step in 1..=5 {
        weight[0] += 0.1;
        metrics.append(&Metrics { step, loss: Some(1.0 / step as f64), ..Metrics::default() })?;
        if step == 3 {
            let tensors = [TensorRef { name: "backbone.weight", shape: &[2, 2], data: &weight }];
            run.save_checkpoint("last", &tensors, &BTreeMap::from([("step".to_owned(), step.to_string())]))?;
        }
    }
    drop(metrics); // "killed" at step 5, saved at step 3

    let run = RunFolder::open(&out)?;
    let last = Checkpoint::load(&run.checkpoint_path("last")?)?;
    let step = last.metadata["step"].parse().expect("written above");
    let mut metrics = run.resume_metrics(step)?;
    metrics.append(&Metrics { step: step + 1, loss: Some(0.2), ..Metrics::default() })?;

    println!("resumed at step {step} with weight {:?}", last.tensors[0].data);
    for line in run.metrics()? {
        println!("step {} loss {:.3}", line.step, line.loss.unwrap_or(f64::NAN));
    }
    println!("{}", RunFolder::create(&out, false).expect_err("the run is protected"));
    Ok(())
}
