//! `cargo xtask tidy`: the rules of docs/STYLE.md and docs/ARCHITECTURE.md that a machine can hold.
//!
//! What goes in: the workspace as plain data ([`Workspace`]). What comes out: [`Violation`]s, each with its file, line,
//! rule, and what to do. A rule is a function of a part of that data, so that each can be shown to fail.

mod arrows;
mod circles;
mod crates;
mod files;
mod folders;
mod plugs;
mod source;
mod violation;
mod vocabulary;
mod workspace;

use std::path::Path;

use anyhow::Result;

use violation::{Severity, Violation};
use workspace::Workspace;

/// Checks the working tree and prints what is wrong; true where nothing has to be mended.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let workspace = Workspace::load(root)?;
    let violations = violations_of(&workspace);
    for violation in &violations {
        println!("{violation}");
    }
    let failures = violations.iter().filter(|violation| violation.severity == Severity::Failure).count();
    println!(
        "tidy: {} files and {} crates looked at, {failures} to mend, {} warnings",
        workspace.files.len(),
        workspace.rooms.len(),
        violations.len() - failures
    );
    Ok(failures == 0)
}

fn violations_of(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = arrows::check(&workspace.rooms);
    violations.extend(crates::check(&workspace.rooms, &workspace.files));
    violations.extend(circles::check(&workspace.files));
    violations.extend(folders::check(&workspace.files));
    violations.extend(plugs::check(&workspace.files));
    for file in &workspace.files {
        violations.extend(files::check(file));
        violations.extend(source::functions::check(file));
        violations.extend(source::check(file));
        violations.extend(vocabulary::check(file));
    }
    violations.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    violations
}

#[cfg(test)]
mod tests {
    use super::violation::rules;
    use super::workspace::{File, Room};
    use super::*;

    #[test]
    fn every_kind_of_rule_is_asked() {
        let workspace = Workspace {
            rooms: vec![Room {
                name: "relata-data".into(),
                dependencies: vec![("relata-train".into(), false)],
                ..Room::default()
            }],
            files: vec![
                File::new("crates/data/src/utils.rs", "fn f() { todo!() }\nstruct Asks;"),
                File::new("crates/data/src/sets/tiny.rs", "const ENTRY: E = E { name: \"tiny\" };"),
                File::new("crates/data/src/lib.rs", &format!("mod a; mod b; fn f() {{ {} }}", "\n".repeat(72))),
                File::new("crates/data/src/a.rs", "pub fn a() { crate::b::b() }"),
                File::new("crates/data/src/b.rs", "pub fn b() { crate::a::a(); \"tiny\" }"),
            ]
            .into_iter()
            .chain((0..13).map(|number| File::new(&format!("crates/data/tests/{number}.rs"), "")))
            .collect(),
        };
        let mut found = rules(&violations_of(&workspace));
        found.sort_unstable();
        let expected = ["arrow", "circle", "crate-example", "crate-readme", "folder", "long-function", "name", "plug-name"];
        assert_eq!(found, [&expected[..], &["private-word", "unfinished"]].concat());
    }
}
