use std::fmt;

/// How much is in the way of the figure. Neither level says anything about the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Difficulty {
    /// Faint stripes, noise, at most one stray dot.
    #[default]
    Plain,
    /// Strong stripes, noise, up to four stray dots.
    Hard,
}

impl Difficulty {
    /// Both levels, the default first.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Hard];

    /// The name in configuration files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Hard => "hard",
        }
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
