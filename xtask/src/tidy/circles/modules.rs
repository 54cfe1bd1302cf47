//! A crate's source as a tree of modules: what each defines, what it imports, and the code in it. Tests are left out.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tidy::source::items::{is_ident, is_punct, items_of};
use crate::tidy::workspace::File;

/// What a name or path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Module(ModuleId),
    /// An item of this module; whether it is a trait.
    Item(ModuleId, bool),
}

/// A module, by its place in [`Modules::all`].
pub(super) type ModuleId = usize;

/// One module: a file, or a part of one.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) parent: Option<ModuleId>,
    /// The file that it stands in, below the workspace's root.
    pub(super) file: String,
    pub(super) children: BTreeMap<String, ModuleId>,
    /// Names of the items that it defines; true for a trait.
    pub(super) items: BTreeMap<String, bool>,
    pub(super) imports: Vec<Import>,
    /// Modules of which it imports everything.
    pub(super) globs: Vec<Vec<String>>,
    /// Paths in its code, imports apart, with their lines.
    pub(super) paths: Vec<(Vec<String>, usize)>,
}

/// `use a::b as name`.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) name: String,
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// `pub use` of any reach: what it names is handed on, not used here.
    pub(super) is_handed_on: bool,
}

/// All modules of a crate, the root first.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pub(super) all: Vec<Module>,
    /// What names were found to be, by module, name, and whether it ends a path.
    pub(super) found: RefCell<BTreeMap<(ModuleId, String, bool), Option<Target>>>,
}

impl Modules {
    /// Reads the crate whose root file is `root` (`crates/x/src/lib.rs`); files that no `mod` names are not among them.
    pub(super) fn read(root: &str, files: &BTreeMap<&str, &File>) -> Self {
        let mut modules = Self::default();
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        modules.file(None, root, folder, files);
        modules
    }

    /// A module that is a file; its children lie in `folder`.
    fn file(&mut self, parent: Option<ModuleId>, path: &str, folder: &str, files: &BTreeMap<&str, &File>) -> Option<ModuleId> {
        let tokens = files.get(path)?.text.parse::<TokenStream>().ok()?;
        Some(self.module(parent, path, folder, tokens, files))
    }

    fn module(
        &mut self,
        parent: Option<ModuleId>,
        path: &str,
        folder: &str,
        tokens: TokenStream,
        files: &BTreeMap<&str, &File>,
    ) -> ModuleId {
        let id = self.all.len();
        self.all.push(Module { parent, file: path.to_owned(), ..Module::default() });
        let mut rest = Vec::new();
        for item in items_of(tokens) {
            if item.is_test {
                continue;
            }
            let Some((name, body)) = item.module() else {
                rest.extend(item.tokens);
                continue;
            };
            let inside = format!("{folder}/{name}");
            let child = match body {
                Some(body) => Some(self.module(Some(id), path, &inside, body, files)),
                None => {
                    let (file, own_folder) = (format!("{inside}.rs"), format!("{inside}/mod.rs"));
                    let file = if files.contains_key(file.as_str()) { file } else { own_folder };
                    self.file(Some(id), &file, &inside, files)
                }
            };
            if let Some(child) = child {
                self.all[id].children.insert(name, child);
            }
        }
        let module = &mut self.all[id];
        define_items(&rest, &mut module.items);
        collect(&rest, module);
        id
    }
}

/// The names that stand behind `fn`, `struct` and their like at the top of a module.
fn define_items(tokens: &[TokenTree], items: &mut BTreeMap<String, bool>) {
    const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static", "mut"];
    for (place, pair) in tokens.windows(2).enumerate() {
        let [TokenTree::Ident(keyword), TokenTree::Ident(name)] = pair else { continue };
        let is_lifetime = place > 0 && is_punct(&tokens[place - 1], '\'');
        let (keyword, name) = (keyword.to_string(), name.to_string());
        if KEYWORDS.contains(&keyword.as_str()) && !KEYWORDS.contains(&name.as_str()) && !is_lifetime && name != "unsafe" {
            items.insert(name, keyword == "trait");
        }
    }
}

/// Imports and paths, at any depth.
fn collect(tokens: &[TokenTree], module: &mut Module) {
    let mut place = 0;
    while let Some(token) = tokens.get(place) {
        match token {
            TokenTree::Ident(ident) if ident == "use" => {
                let is_handed_on = is_handed_on(&tokens[..place]);
                let end = tokens[place..].iter().position(|token| is_punct(token, ';')).map_or(tokens.len(), |len| place + len);
                let line = ident.span().start().line;
                use_tree(&tokens[place + 1..end], &[], &mut |name, path| match name {
                    Some(name) => module.imports.push(Import { name, path, line, is_handed_on }),
                    None => module.globs.push(path),
                });
                place = end;
            }
            TokenTree::Ident(ident) if !continues(&tokens[..place]) => {
                let (path, len) = path_at(&tokens[place..]);
                module.paths.push((path, ident.span().start().line));
                place += len - 1;
            }
            TokenTree::Group(group) => collect(&group.stream().into_iter().collect::<Vec<_>>(), module),
            _ => {}
        }
        place += 1;
    }
}

/// Whether `pub` or `pub(...)` is what was read last.
fn is_handed_on(before: &[TokenTree]) -> bool {
    let without_reach = match before.split_last() {
        Some((TokenTree::Group(group), rest)) if group.delimiter() == Delimiter::Parenthesis => rest,
        _ => before,
    };
    without_reach.last().is_some_and(|token| is_ident(token, "pub"))
}

/// Whether an identifier belongs to what stands before it: a method or field, the rest of a path, a lifetime.
fn continues(before: &[TokenTree]) -> bool {
    let last = |back: usize| before.len().checked_sub(back).map(|place| &before[place]);
    let is = |back: usize, c: char| last(back).is_some_and(|token| is_punct(token, c));
    (is(1, '.') && !is(2, '.')) || (is(1, ':') && is(2, ':')) || is(1, '\'')
}

/// The path that `tokens` begin with, and how many of them it takes.
fn path_at(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut path, mut len) = (vec![tokens[0].to_string()], 1);
    while let [first, second, TokenTree::Ident(name), ..] = &tokens[len..] {
        if !(is_punct(first, ':') && is_punct(second, ':')) {
            break;
        }
        path.push(name.to_string());
        len += 3;
    }
    (path, len)
}

/// Calls `found` with the name and the path of all that a `use` brings; without a name for `*`.
fn use_tree(tokens: &[TokenTree], prefix: &[String], found: &mut dyn FnMut(Option<String>, Vec<String>)) {
    for branch in tokens.split(|token| is_punct(token, ',')) {
        let mut path = prefix.to_vec();
        let mut name = None;
        let mut is_renamed = false;
        for token in branch {
            match token {
                TokenTree::Ident(ident) if is_renamed => name = Some(ident.to_string()),
                TokenTree::Ident(ident) if ident == "as" => is_renamed = true,
                TokenTree::Ident(ident) if ident == "self" && !path.is_empty() => {}
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    found(None, std::mem::take(&mut path));
                }
                TokenTree::Group(group) => {
                    use_tree(&group.stream().into_iter().collect::<Vec<_>>(), &std::mem::take(&mut path), found);
                }
                _ => {}
            }
        }
        if let Some(last) = path.last().cloned() {
            found(Some(name.unwrap_or(last)), path);
        }
    }
}
