//! Writes made-up runs, their pages and a comparison: `cargo run -p relata-report --example demo_report -- FOLDER`

mod made_up;

use std::path::PathBuf;

#[expect(clippy::print_stdout, reason = "an example says where its pages are")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("relata-demo"), PathBuf::from);
    let runs = made_up::runs(&folder)?;
    for run in &runs {
        println!("{}", relata_report::write_report(run)?.display());
    }
    let page = folder.join("comparison.html");
    relata_artifact::write_atomic(&page, relata_report::render_comparison(&runs)?.as_bytes())?;
    println!("{}", page.display());
    Ok(())
}
