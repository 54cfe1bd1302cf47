use super::super::violation::{Severity, rules};
use super::*;

fn circles(files: &[(&str, &str)]) -> Vec<Violation> {
    let files: Vec<File> = files.iter().map(|(path, text)| File::new(&format!("crates/x/src/{path}"), text)).collect();
    check(&files)
}

#[test]
fn two_files_that_use_each_other_are_a_circle() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B;\npub struct A;\nfn f(_: B) {}"),
        ("b.rs", "pub struct B;\nfn f(_: super::a::A) {}"),
    ]);
    assert_eq!(rules(&found), ["circle"]);
    let text = found[0].to_string();
    assert_eq!(found[0].severity, Severity::Failure);
    assert!(text.contains("a.rs:3 uses `B` of b.rs; b.rs:2 uses `A` of a.rs"), "{text}");
}

#[test]
fn a_circle_over_several_files_is_told_once_and_in_order() {
    let found = circles(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub fn a() { crate::b::b() }"),
        ("b.rs", "pub fn b() { crate::c::c::<u8>() }"),
        ("c.rs", "use crate::a;\npub fn c<T>() { a::a() }"),
    ]);
    assert_eq!(rules(&found), ["circle"]);
    assert!(found[0].to_string().contains("a.rs:1 uses `b` of b.rs; b.rs:1 uses `c` of c.rs; c.rs:2 uses `a` of a.rs"));
}

#[test]
fn arrows_that_run_one_way_are_no_circle() {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::*;\nfn f() -> B { B }"), ("b.rs", "pub struct B;")];
    assert!(circles(&files).is_empty());
}

#[test]
fn what_is_handed_on_belongs_to_the_file_that_defines_it() {
    // `error.rs` and `config/mod.rs` would be a circle if `crate::ConfigError` were lib.rs's.
    let files = [
        ("lib.rs", "mod config; mod error; pub use config::ConfigError; pub use error::{Error, Result};"),
        ("error.rs", "pub enum Error { Config(crate::ConfigError) }\npub type Result<T> = std::result::Result<T, Error>;"),
        ("config/mod.rs", "mod error; pub use error::ConfigError; pub fn validate() -> crate::Result<()> { Ok(()) }"),
        ("config/error.rs", "pub struct ConfigError;"),
    ];
    assert!(circles(&files).is_empty(), "{:?}", circles(&files));
}

#[test]
fn a_parent_that_hands_on_what_its_child_makes_of_its_own_is_no_circle() {
    let child = ("a/child.rs", "use super::Own;\npub fn made() -> Own { Own }");
    let declares = ("a/mod.rs", "mod child;\npub use child::made;\npub struct Own;");
    assert!(circles(&[("lib.rs", "mod a;"), declares, child]).is_empty());
    let calls = ("a/mod.rs", "mod child;\npub struct Own;\nfn f() { child::made(); }");
    assert_eq!(rules(&circles(&[("lib.rs", "mod a;"), calls, child])), ["circle"]);
    assert_eq!(circles(&[("lib.rs", "mod a;"), calls, child])[0].severity, Severity::Warning, "they are found together");
    let imports = ("a/mod.rs", "mod child;\nuse child::made;\npub struct Own;\nfn f() { made(); }");
    assert_eq!(rules(&circles(&[("lib.rs", "mod a;"), imports, child])), ["circle"]);
}

#[test]
fn a_trait_is_used_where_it_is_imported() {
    let files = |import: &'static str| {
        let user = format!("{import}\npub struct A;\npub fn f(a: &A) {{ a.step() }}");
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", user.leak()), ("b.rs", "pub trait Step { fn of(_: crate::a::A); }")];
        rules(&circles(&files))
    };
    assert_eq!(files("use crate::b::Step;"), ["circle"]);
    assert_eq!(files("use crate::b::Step as _;"), ["circle"]);
    assert!(files("pub use crate::b::Step;").is_empty(), "handed on, not used");
}

#[test]
fn tests_do_not_count() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub fn a() { crate::b::b() }"),
        (
            "b.rs",
            "pub fn b() {}\n#[cfg(test)]\nmod tests { use crate::a::a; fn f() { a() } }\n#[cfg(test)]\nfn g() { crate::a::a() }",
        ),
    ];
    assert!(circles(&files).is_empty());
    let not_test = ("b.rs", "pub fn b() {}\n#[cfg(not(test))]\nfn g() { crate::a::a() }");
    assert_eq!(rules(&circles(&[files[0], files[1], not_test])), ["circle"]);
}

#[test]
fn an_item_with_the_name_of_its_module_is_told_from_it() {
    let files = [
        ("lib.rs", "mod embed; mod a; pub use embed::embed;"),
        ("embed.rs", "pub fn embed() {}\npub fn g() { crate::a::a() }"),
        ("a.rs", "pub fn a() { crate::embed() }"),
    ];
    assert_eq!(rules(&circles(&files)), ["circle"]);
}

#[test]
fn strings_fields_and_lifetimes_are_no_paths() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::b;\npub fn a() -> &'static str { b(); \"crate::b\" }"),
        ("b.rs", "pub fn b() { let x = Y { a: 1 }; x.a(); }"),
    ];
    assert!(circles(&files).is_empty());
}

#[test]
fn a_program_without_a_library_is_looked_at_too() {
    let files =
        [("main.rs", "mod a; mod b;"), ("a.rs", "pub fn a() { crate::b::b() }"), ("b.rs", "pub fn b() { crate::a::a() }")];
    assert_eq!(rules(&circles(&files)), ["circle"]);
}

#[test]
fn a_part_that_looks_past_its_parent_closes_a_circle() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod part;\npub fn f() { part::g() }"),
        ("a/part.rs", "pub fn g() { crate::b::b() }"),
        ("b.rs", "pub fn b() { crate::a::f() }"),
    ];
    let found = circles(&files);
    assert_eq!((rules(&found), found[0].severity), (vec!["circle"], Severity::Failure));
}
