//! The data sets that have a file or a folder each in `src/sets`, written as their publishers lay them out.

mod cifar10;
mod cifar100;
mod pack;
mod published;
mod slim;
mod stl10;
mod tiny;
