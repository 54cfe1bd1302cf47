//! The only place that prints: results go to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};

/// A line of results.
pub(crate) fn result(line: impl AsRef<str>) {
    // A reader that closed the pipe (`| head`) has seen what it wanted: no reason to fail.
    let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// A line for the user's eyes: progress, notes. A terminal that is gone is no reason to fail either.
pub(crate) fn note(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
}

/// The whole chain of an error, once, with what to do next.
pub(crate) fn error(error: &crate::Error) {
    if let crate::Error::Interrupted { resume, .. } = error {
        // The user's own wish is no error.
        return note(format!("{error}\ngo on with: {resume}"));
    }
    note(format!("error: {error}"));
    let mut shown = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(reason) = cause {
        let text = reason.to_string();
        // Some errors repeat their cause in their own words.
        if !shown.contains(&text) {
            note(format!("  because: {}", text.trim_end().replace('\n', "\n           ")));
            shown = text;
        }
        cause = reason.source();
    }
    if let Some(help) = error.help() {
        note(format!("  help: {help}"));
    }
}

/// Whether progress bars have somebody to look at them.
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Rows of cells as text, numbers to the right, each column as wide as it needs.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = table(&[row(["protocol", "accuracy", "gain"]), row(["kNN", "7.1 %", "+12.25"])]);
        assert_eq!(text, "protocol  accuracy    gain\nkNN          7.1 %  +12.25");
    }
}
