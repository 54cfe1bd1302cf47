//! Which room may use which: docs/ARCHITECTURE.md's table of arrows, held against the manifests.

use super::violation::Violation;
use super::workspace::Room;

/// A room and the rooms that it may use. `cli` is the only one that may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("data", &[]),
    ("augment", &["data"]),
    ("ops", &[]),
    ("model", &["ops"]),
    ("optim", &["ops"]),
    ("cluster", &["ops"]),
    // `ops` for the heads that are written out by hand: projection, classifier, contrast.
    ("train", &["data", "augment", "ops", "model", "optim", "cluster", "artifact"]),
    // `ops` for the matrix products of the linear probe and kNN; never `train`: a score must not need a trainer.
    ("probe", &["data", "augment", "model", "ops", "optim", "cluster", "artifact"]),
    ("artifact", &[]),
    // `ops` for the eigenvectors of the picture of features.
    ("report", &["artifact", "ops"]),
    ("cli", &["data", "augment", "ops", "model", "optim", "cluster", "train", "probe", "artifact", "report"]),
    ("testkit", &[]),
    // The rooms beside `cli` for `bench`, which times them one by one.
    ("xtask", &["cli", "data", "augment", "ops", "model", "optim", "train"]),
];

/// The rooms that may name candle: the seam and what stands on it. The others build in seconds without it.
const CANDLE_ROOMS: &[&str] = &["model", "train", "probe", "cli"];

/// What a room without candle may bring by a feature that is off by default, so that its default build stays without.
const CANDLE_BY_FEATURE: &[(&str, &str)] = &[("data", "candle-datasets")];

const TABLE: &str = "xtask/src/tidy/arrows.rs";

pub(super) fn check(rooms: &[Room]) -> Vec<Violation> {
    rooms.iter().flat_map(check_room).collect()
}

fn check_room(room: &Room) -> Vec<Violation> {
    let name = short(&room.name);
    let manifest = if name == "xtask" { "xtask/Cargo.toml".to_owned() } else { format!("crates/{name}/Cargo.toml") };
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        return vec![Violation::new(
            &manifest,
            "arrow",
            format!("`{name}` is not in the table of arrows, so nothing says what it may use"),
            format!("add its line to ARROWS in {TABLE} and to docs/ARCHITECTURE.md"),
        )];
    };
    let mut violations = Vec::new();
    for (dependency, for_tests) in &room.dependencies {
        let to = short(dependency);
        let is_room = dependency.starts_with("relata-") || dependency == "xtask";
        if to == "testkit" && !for_tests {
            violations.push(Violation::new(
                &manifest,
                "testkit",
                "relata-testkit panics where it fails, which only a test may do",
                "move it to [dev-dependencies]",
            ));
        } else if is_room && to != "testkit" && !allowed.contains(&to) {
            let list = if allowed.is_empty() { "no other room".to_owned() } else { allowed.join(", ") };
            violations.push(Violation::new(
                &manifest,
                "arrow",
                format!("{name} -> {to} is no arrow of this house: {name} may use {list}, in tests too"),
                format!(
                    "move the code to the room it belongs to, or argue the arrow in docs/ARCHITECTURE.md and add it to {TABLE}"
                ),
            ));
        } else if dependency.starts_with("candle") && !CANDLE_ROOMS.contains(&name) && !is_by_feature(room, dependency) {
            violations.push(Violation::new(
                &manifest,
                "candle",
                format!("{name} works on plain buffers so that it can be used and built without candle, but takes {dependency}"),
                format!(
                    "take and give slices, and make tensors in model or above; or argue an optional dependency, behind a feature \
                     that is off by default, in docs/ARCHITECTURE.md and add it to {TABLE}"
                ),
            ));
        }
    }
    violations
}

fn is_by_feature(room: &Room, dependency: &str) -> bool {
    CANDLE_BY_FEATURE.contains(&(short(&room.name), dependency)) && room.by_feature.iter().any(|name| name == dependency)
}

fn short(package: &str) -> &str {
    package.strip_prefix("relata-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::super::violation::rules;
    use super::*;

    fn room(name: &str, dependencies: &[(&str, bool)]) -> Vec<Room> {
        let dependencies = dependencies.iter().map(|(name, tests)| ((*name).to_owned(), *tests)).collect();
        vec![Room { name: name.to_owned(), dependencies, ..Room::default() }]
    }

    #[test]
    fn the_arrows_of_the_table_are_allowed() {
        assert!(check(&room("relata-augment", &[("relata-data", false), ("serde", false)])).is_empty());
        assert!(check(&room("relata-probe", &[("relata-ops", false), ("candle-core", false)])).is_empty());
        assert!(check(&room("xtask", &[("relata-cli", false)])).is_empty());
    }

    #[test]
    fn an_arrow_that_is_not_in_the_table_fails() {
        assert_eq!(rules(&check(&room("relata-probe", &[("relata-train", false)]))), ["arrow"]);
        assert_eq!(rules(&check(&room("relata-data", &[("relata-augment", false)]))), ["arrow"]);
        assert_eq!(rules(&check(&room("relata-cli", &[("xtask", false)]))), ["arrow"]);
    }

    #[test]
    fn tests_follow_the_same_arrows() {
        assert_eq!(rules(&check(&room("relata-report", &[("relata-probe", true)]))), ["arrow"]);
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert!(check(&room("relata-ops", &[("relata-testkit", true)])).is_empty());
        assert_eq!(rules(&check(&room("relata-ops", &[("relata-testkit", false)]))), ["testkit"]);
    }

    #[test]
    fn candle_stays_out_of_the_rooms_of_plain_buffers() {
        for name in ["data", "augment", "ops", "optim", "cluster", "artifact", "report"] {
            assert_eq!(rules(&check(&room(&format!("relata-{name}"), &[("candle-core", false)]))), ["candle"]);
        }
    }

    #[test]
    fn data_brings_candles_data_sets_by_a_feature_alone() {
        let brings = |room_name: &str, dependency: &str, by_feature: bool| {
            let mut rooms = room(room_name, &[(dependency, false)]);
            rooms[0].by_feature = if by_feature { vec![dependency.to_owned()] } else { Vec::new() };
            check(&rooms)
        };
        assert!(brings("relata-data", "candle-datasets", true).is_empty());
        assert_eq!(rules(&brings("relata-data", "candle-datasets", false)), ["candle"]);
        assert_eq!(rules(&brings("relata-data", "candle-core", true)), ["candle"]);
        assert_eq!(rules(&brings("relata-augment", "candle-datasets", true)), ["candle"]);
    }

    #[test]
    fn a_room_without_a_line_in_the_table_fails() {
        assert_eq!(rules(&check(&room("relata-cellar", &[]))), ["arrow"]);
    }

    #[test]
    fn the_table_has_no_circle() {
        // Each room's arrows lead to rooms whose own arrows are fully followed before it: a circle never empties the list.
        let mut left: Vec<_> = ARROWS.to_vec();
        while !left.is_empty() {
            let names: Vec<_> = left.iter().map(|(name, _)| *name).collect();
            let before = left.len();
            left.retain(|(_, uses)| uses.iter().any(|used| names.contains(used)));
            assert!(left.len() < before, "a circle among {names:?}");
        }
    }
}
