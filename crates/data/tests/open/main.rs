//! Data sets by name: opened, looked for on disk, cut into parts, and inspected.

mod by_name;
mod inspect;
mod presence;
mod stratified_split;
