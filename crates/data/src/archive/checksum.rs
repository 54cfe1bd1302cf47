use std::fmt;

/// The checksum that a file must have, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// What publishers of data sets give: it finds damage, not malice.
    Md5(String),
    /// What the hub gives.
    Sha256(String),
}

impl Checksum {
    /// The digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        match self {
            Self::Md5(digits) | Self::Sha256(digits) => digits,
        }
    }

    /// `MD5` or `SHA-256`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Md5(_) => "MD5",
            Self::Sha256(_) => "SHA-256",
        }
    }
}

/// `MD5 c32a1d4a...`
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm(), self.digits())
    }
}
