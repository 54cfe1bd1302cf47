//! Files of one crate that use each other in a circle: none of them can be read, moved or replaced without the others.
//!
//! A path is followed to the file that defines what it names, through imports and re-exports: a `mod.rs` or `lib.rs` that only
//! declares and hands on takes no part. What is compiled for tests alone does not count.

mod modules;

use std::collections::{BTreeMap, BTreeSet};

use super::violation::Violation;
use super::workspace::File;
use modules::{ModuleId, Modules, Target};

/// What a file uses of another: an item, and the line where.
type Uses<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (String, usize)>>;

pub(super) fn check(files: &[File]) -> Vec<Violation> {
    let by_path: BTreeMap<&str, &File> =
        files.iter().filter(|file| file.is_rust()).map(|file| (file.path.as_str(), file)).collect();
    let roots = by_path.keys().copied().filter(|path| {
        let Some(folder) = path.strip_suffix("/src/lib.rs").or_else(|| path.strip_suffix("/src/main.rs")) else { return false };
        // A program beside a library has that library's modules by another crate's name.
        path.ends_with("lib.rs") || !by_path.contains_key(format!("{folder}/src/lib.rs").as_str())
    });
    roots.flat_map(|root| circles_of(&Modules::read(root, &by_path))).collect()
}

/// Circles that stay when no part of a folder may look up to the file that its folder hangs on, as failures; then those that such
/// looks close, as warnings: a parent and its parts are at least found together.
fn circles_of(modules: &Modules) -> Vec<Violation> {
    let all = modules.uses();
    let mut across = all.clone();
    for (from, of) in &mut across {
        of.retain(|to, _| !is_part_of(from, to));
    }
    let mut reported = BTreeSet::new();
    let mut violations = report(&across, &mut reported);
    violations.extend(report(&all, &mut reported).into_iter().map(Violation::warning));
    violations
}

/// Whether `file` lies in the folder that hangs on the file `parent`, which is no root: `a/b.rs` on `a.rs` or `a/mod.rs`.
fn is_part_of(file: &str, parent: &str) -> bool {
    let folder = parent.strip_suffix("/mod.rs").or_else(|| parent.strip_suffix(".rs"));
    let is_root = parent.ends_with("/src/lib.rs") || parent.ends_with("/src/main.rs");
    !is_root && folder.is_some_and(|folder| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

/// The shortest circle of each file that is in one and not in one that was reported before.
fn report<'a>(uses: &Uses<'a>, reported: &mut BTreeSet<&'a str>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for &file in uses.keys() {
        if reported.contains(file) {
            continue;
        }
        let Some(circle) = shortest_circle(uses, file) else { continue };
        reported.extend(circle.iter().copied());
        let steps = circle.iter().enumerate().map(|(place, &from)| {
            let to = circle[(place + 1) % circle.len()];
            let (item, line) = &uses[from][to];
            format!("{}:{line} uses `{item}` of {}", short(from), short(to))
        });
        let reason = format!("a circle of files: {}", steps.collect::<Vec<_>>().join("; "));
        let remedy =
            "move the item that stands in the wrong file to the file of its subject, or what both need to a file of its own";
        violations.push(Violation::new(file, "circle", reason, remedy).at(uses[file][circle[1 % circle.len()]].1));
    }
    violations
}

/// The way from `start` back to it over the fewest files.
fn shortest_circle<'a>(uses: &Uses<'a>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut frontier = vec![start];
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for from in frontier {
            for &to in uses.get(from).into_iter().flat_map(BTreeMap::keys) {
                if to == start {
                    let mut circle = vec![from];
                    while let Some(&before) = circle.last().and_then(|file| came_from.get(file)) {
                        circle.push(before);
                    }
                    circle.reverse();
                    return Some(circle);
                }
                if !came_from.contains_key(to) {
                    came_from.insert(to, from);
                    next.push(to);
                }
            }
        }
        frontier = next;
    }
    None
}

/// A file's path inside its crate.
fn short(path: &str) -> &str {
    path.split_once("src/").map_or(path, |(_, inside)| inside)
}

impl Modules {
    /// Which files use what of which other files.
    fn uses(&self) -> Uses<'_> {
        let mut uses = Uses::new();
        let mut note = |from: &'_ ModuleId, target: Option<Target>, path: &[String], line: usize| {
            let Some(Target::Item(to, _)) = target else { return };
            let (from, to) = (self.all[*from].file.as_str(), self.all[to].file.as_str());
            if from != to {
                let item = path.last().cloned().unwrap_or_default();
                uses.entry(from).or_default().entry(to).or_insert((item, line));
            }
        };
        for (id, module) in self.all.iter().enumerate() {
            for (path, line) in &module.paths {
                let (target, len) = self.resolve(id, path);
                note(&id, target, &path[..len], *line);
            }
            // A trait is used by the names of its methods.
            for import in module.imports.iter().filter(|import| !import.is_handed_on) {
                let (target, len) = self.resolve(id, &import.path);
                if let Some(Target::Item(_, true)) = target {
                    note(&id, target, &import.path[..len], import.line);
                }
            }
        }
        uses
    }

    /// Whether a path that `module` imports leads into this crate and not to another.
    fn is_inner(&self, module: ModuleId, path: &[String]) -> bool {
        let starts_here = |first: &String| {
            ["crate", "self", "super"].contains(&first.as_str()) || self.all[module].children.contains_key(first)
        };
        let by_import = |first: &String| {
            let imports = self.all[module].imports.iter().filter(|import| import.name == *first);
            imports.filter_map(|import| import.path.first()).any(starts_here)
        };
        path.first().is_some_and(|first| starts_here(first) || by_import(first))
    }

    /// The item or module that a path in `module` leads to, and how many of its parts lead there.
    fn resolve(&self, module: ModuleId, path: &[String]) -> (Option<Target>, usize) {
        let mut place: Option<ModuleId> = None;
        for (index, part) in path.iter().enumerate() {
            let is_last = index + 1 == path.len();
            let next = match (part.as_str(), place) {
                ("crate", None) => Some(Target::Module(0)),
                ("self", None) => Some(Target::Module(module)),
                ("super", None) => self.all[module].parent.map(Target::Module),
                ("super", Some(inside)) => self.all[inside].parent.map(Target::Module),
                (name, inside) => self.find(inside.unwrap_or(module), name, is_last),
            };
            match next {
                Some(Target::Module(inside)) => place = Some(inside),
                Some(item) => return (Some(item), index + 1),
                None => return (None, index),
            }
        }
        (place.map(Target::Module), path.len())
    }

    /// What `name` is in `module`; where it is both, the last part of a path is an item, any other a module.
    fn find(&self, module: ModuleId, name: &str, is_last: bool) -> Option<Target> {
        let key = (module, name.to_owned(), is_last);
        if let Some(known) = self.found.borrow().get(&key) {
            return *known;
        }
        // Nothing for now: imports may lead in a circle.
        self.found.borrow_mut().insert(key.clone(), None);
        let target = self.look_for(module, name, is_last);
        self.found.borrow_mut().insert(key, target);
        target
    }

    fn look_for(&self, module: ModuleId, name: &str, is_last: bool) -> Option<Target> {
        let inside = &self.all[module];
        let item = inside.items.get(name).map(|is_trait| Target::Item(module, *is_trait));
        let child = inside.children.get(name).map(|child| Target::Module(*child));
        let own = if is_last { item.or(child) } else { child.or(item) };
        let imported = || {
            let imports = inside.imports.iter().filter(|import| import.name == name && self.is_inner(module, &import.path));
            let found = imports.filter_map(|import| self.resolve(module, &import.path).0);
            found.fold(None, |best, found| match (best, found) {
                (Some(Target::Item(..)), Target::Module(_)) if is_last => best,
                (Some(Target::Module(_)), Target::Item(..)) if !is_last => best,
                _ => Some(found),
            })
        };
        let by_glob = || {
            let globs = inside.globs.iter().filter(|path| self.is_inner(module, path));
            globs.map(Vec::as_slice).find_map(|path| match self.resolve(module, path).0 {
                Some(Target::Module(of)) if of != module => self.find(of, name, is_last),
                _ => None,
            })
        };
        match own {
            // A module and an item of the same name, the item handed on from the module.
            Some(Target::Module(_)) if is_last => imported().or(own),
            Some(own) => Some(own),
            None => imported().or_else(by_glob),
        }
    }
}

#[cfg(test)]
mod tests;
