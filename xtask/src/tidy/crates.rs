//! What every crate and every recipe owes its reader.

use super::violation::Violation;
use super::workspace::{File, Room};

pub(super) fn check(rooms: &[Room], files: &[File]) -> Vec<Violation> {
    let crates = rooms.iter().filter_map(|room| room.name.strip_prefix("relata-"));
    let mut violations: Vec<_> = crates.flat_map(|name| check_crate(name, files)).collect();
    violations.extend(files.iter().filter_map(check_recipe));
    violations
}

fn check_crate(name: &str, files: &[File]) -> Vec<Violation> {
    let folder = format!("crates/{name}");
    let manifest = format!("{folder}/Cargo.toml");
    let mut violations = Vec::new();
    if !files.iter().any(|file| file.path == format!("{folder}/README.md") && !file.text.trim().is_empty()) {
        violations.push(Violation::new(
            &manifest,
            "crate-readme",
            "a crate stands alone: its page says what goes in, what comes out, and how to use it without the others",
            format!("write {folder}/README.md"),
        ));
    }
    let examples = format!("{folder}/examples/");
    if !files.iter().any(|file| file.path.starts_with(&examples) && file.is_rust()) {
        violations.push(Violation::new(
            &manifest,
            "crate-example",
            "an example is the page's code that is compiled, so it cannot grow false",
            format!("add a runnable {examples}<what it shows>.rs"),
        ));
    }
    violations
}

/// A recipe's own command stands in a comment of it, so that nobody has to guess how it is meant to be run.
fn check_recipe(file: &File) -> Option<Violation> {
    if !(file.path.starts_with("configs/") && file.path.ends_with(".toml")) {
        return None;
    }
    // A sweep is a file for `compare`; only such a file lists recipes.
    let verb = if file.text.lines().any(|line| line.starts_with("recipes = ")) { "compare" } else { "train" };
    let command = format!("{verb} {}", file.path);
    let named = file.text.lines().any(|line| line.trim_start().starts_with('#') && names(line, &command));
    (!named).then(|| {
        Violation::new(
            &file.path,
            "recipe-command",
            "a recipe is run as its own comment says; without one, settings given on the command line are lost",
            format!("add the comment `# cargo xtask {command}`, with the settings it wants"),
        )
    })
}

/// Whether `line` holds `command` whole, not as the beginning of a longer path.
fn names(line: &str, command: &str) -> bool {
    line.match_indices(command).any(|(at, _)| {
        let after = line[at + command.len()..].chars().next();
        after.is_none_or(|next| next.is_whitespace() || next == '`')
    })
}

#[cfg(test)]
mod tests {
    use super::super::violation::rules;
    use super::*;

    fn room(name: &str) -> Vec<Room> {
        vec![Room { name: name.to_owned(), ..Room::default() }]
    }

    #[test]
    fn a_crate_with_page_and_example_passes() {
        let files = [File::new("crates/data/README.md", "# data"), File::new("crates/data/examples/count.rs", "fn main() {}")];
        assert!(check(&room("relata-data"), &files).is_empty());
    }

    #[test]
    fn a_crate_without_page_or_example_fails() {
        // Another crate's page, an empty page and an example that is not Rust do not count.
        let files = [
            File::new("crates/data-set/README.md", "# another"),
            File::new("crates/data/README.md", "\n"),
            File::new("crates/data/examples/notes.txt", "later"),
        ];
        assert_eq!(rules(&check(&room("relata-data"), &files)), ["crate-readme", "crate-example"]);
    }

    #[test]
    fn tasks_are_no_crate_to_be_used_alone() {
        assert!(check(&room("xtask"), &[]).is_empty());
    }

    #[test]
    fn a_recipe_names_its_command() {
        let good = File::new("configs/quick.toml", "# cargo xtask train configs/quick.toml --out runs/quick\nseed = 1\n");
        assert!(check(&[], &[good]).is_empty());
        let of_another = File::new("configs/quick.toml", "# cargo xtask train configs/slow.toml\nseed = 1\n");
        let not_a_comment = File::new("configs/a/b.toml", "x = 'cargo xtask train configs/a/b.toml'\n");
        let longer = File::new("configs/quick.toml", "# cargo xtask train configs/quick.toml.old\n");
        assert_eq!(rules(&check(&[], &[of_another, not_a_comment, longer])), ["recipe-command"; 3]);
    }
}
