//! Recipes: a configuration that can be written and read again, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_cli::Config;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(config) = Config::from_toml("recipe", text) {
        let _ = config.validate();
        // NaN is no equal of itself, so the texts are compared.
        let again = Config::from_toml("again", &config.to_toml()).expect("what was written can be read");
        assert_eq!(again.to_toml(), config.to_toml());
    }
});
