//! Data sets from elsewhere: publishers' archives, unpacked and downloaded, and the Hugging Face hub.

#[cfg(feature = "fetch")]
mod fetch;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "archives")]
mod unpack;
