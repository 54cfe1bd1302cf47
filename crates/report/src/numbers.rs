//! Numbers as a reader expects them.

use serde_json::{Map, Value};

/// Narrow no-break space before a percent sign: a number and its unit stay together.
pub(crate) const THIN: char = '\u{202f}';
/// No-break space before a unit or noun in letters.
pub(crate) const NBSP: char = '\u{a0}';
const MINUS: char = '\u{2212}';

/// `58.8 %`
pub(crate) fn percent(value: f64) -> String {
    format!("{value:.1}{THIN}%")
}

/// `+44.1` or `−1.7`
pub(crate) fn signed(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded < 0.0 { format!("{MINUS}{:.1}", -rounded) } else { format!("+{:.1}", rounded.abs()) }
}

/// `12,500`
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `12 images`, `1 image`
pub(crate) fn counted(value: u64, noun: &str) -> String {
    format!("{}{NBSP}{noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// `8.4 s`, `6 min 12 s`, `2 h 5 min`
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..10 => format!("{seconds:.1}{NBSP}s"),
        10..60 => format!("{whole}{NBSP}s"),
        60..3600 => format!("{}{NBSP}min {}{NBSP}s", whole / 60, whole % 60),
        _ => format!("{}{NBSP}h {}{NBSP}min", whole / 3600, whole % 3600 / 60),
    }
}

/// Few digits, no trailing zeros: axis labels and settings.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs();
    if magnitude >= 1000.0 {
        let whole = count(magnitude.round() as u64);
        return if value < 0.0 { format!("{MINUS}{whole}") } else { whole };
    }
    if magnitude < 1e-4 {
        return format!("{value:e}");
    }
    let decimals = (3 - magnitude.log10().floor() as i32).clamp(0, 7) as usize;
    let text = format!("{value:.decimals$}");
    let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    trimmed.replace('-', &MINUS.to_string())
}

/// `epochs 100, batch size 128, lr 0.001`
pub(crate) fn settings(settings: &Map<String, Value>) -> String {
    let item = |(key, value): (&String, &Value)| format!("{} {}", key.replace('_', " "), plain(value));
    settings.iter().map(item).collect::<Vec<_>>().join(", ")
}

/// A JSON value without quotes around text.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().map(short).unwrap_or_default(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_gain_has_its_sign_even_when_it_rounds_to_nothing() {
        assert_eq!([44.06, -1.74, -0.04].map(signed), ["+44.1", "−1.7", "+0.0"]);
    }

    #[test]
    fn short_numbers_carry_no_noise() {
        let shown = [0.001, 0.3, 0.05 + 0.1, 12.0, 100.0, 12_500.0, -0.25, 1e-8].map(short);
        assert_eq!(shown, ["0.001", "0.3", "0.15", "12", "100", "12,500", "−0.25", "1e-8"]);
    }

    #[test]
    fn durations_read_naturally() {
        let shown = [8.44, 59.0, 372.0, 7500.0].map(duration).map(|text| text.replace(NBSP, " "));
        assert_eq!(shown, ["8.4 s", "59 s", "6 min 12 s", "2 h 5 min"]);
    }
}
