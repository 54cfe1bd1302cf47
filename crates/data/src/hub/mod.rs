//! Data sets from the Hugging Face hub's parquet files, written out as their publisher lays them out.

#[cfg(feature = "hub")]
mod fetch;
#[cfg(feature = "hub")]
mod records;
#[cfg(feature = "hub")]
mod repository;
mod row_problem;
mod source;

#[cfg(feature = "hub")]
pub use self::fetch::fetch_from_hub;
#[cfg(feature = "hub")]
pub use self::repository::HubOptions;
pub use self::row_problem::RowProblem;
pub use self::source::{HubSource, HubSplit};
