//! Prints every setting of a run with its default, as a recipe that could be edited.
#![expect(clippy::print_stdout, reason = "that is what the example is for")]

use relata_cli::Config;

fn main() -> relata_cli::Result<()> {
    let config = Config::default();
    config.validate()?;
    println!("# {}\n{}", config.run_name(), config.to_toml());
    Ok(())
}
