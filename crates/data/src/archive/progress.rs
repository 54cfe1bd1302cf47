/// How far the work on an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is done.
    pub work: Work,
    /// Bytes so far, of the archive.
    pub done_bytes: u64,
    /// Bytes of the whole archive; 0 where the server does not say.
    pub of_bytes: u64,
}

/// What is done with an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// It is downloaded.
    Download,
    /// Its checksum is computed.
    Verify,
    /// It is unpacked.
    Unpack,
}
