use relata_artifact::BackboneUse;

/// What a protocol is, for all who name, sort or offer it without running it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolInfo {
    /// In configuration files, on the command line and in the name of the result file: lower case, one word.
    pub name: &'static str,
    /// As a report says it: `Linear probe`.
    pub title: &'static str,
    /// Place in tables, the smallest first. Results hold it, so a protocol keeps the one that it has.
    pub rank: u32,
    /// What it does, in half a line of `relata probe --help`.
    pub summary: &'static str,
    /// Whether it scores features of the frozen backbone, or trains the backbone: further, or from random weights as an upper bound
    /// for the others. All protocols need labels.
    pub backbone: BackboneUse,
    /// Whether it draws random numbers, so that another seed may be another score.
    pub draws: bool,
    /// Whether a training run ends with its score unless `probe.protocols` says otherwise.
    pub after_train: bool,
    /// Whether its settings stand in `[probe]` itself, not in a table `[probe.<name>]` of their own. The first two protocols are
    /// so, and stay so: results and the names of their files hold `probe.epochs` and `probe.k`, and those of another key would
    /// count as results of another request. `false` for every new protocol.
    pub settings_in_probe: bool,
}
