//! What was measured as Markdown: for a terminal, and for docs/results/speed.md.

use super::kernels::{Kernels, Rates};
use super::outcome::Outcome;
use super::report::{Measured, Report};
use super::timed_parts::median;

pub(super) fn markdown(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!("{}, {} threads, {}; commit {}\n", machine.processor, machine.threads, machine.isa, machine.commit);
    if let Some(kernels) = &report.kernels {
        text += &of_kernels(kernels);
    }
    if !report.rows.is_empty() {
        text += &of_rows(&report.rows);
    }
    text
}

fn of_kernels(kernels: &Kernels) -> String {
    let mut text = format!(
        "\nConvolutions, {}, one thread, of {}, GFLOP/s and share of the multiply-add peak beside each{}\n\n\
         | layer | forward | data gradient | weight gradient | peak |\n|---|---|---|---|---|\n",
        kernels.isa,
        if kernels.cached { "images in the cache" } else { "a batch, from memory" },
        if kernels.cached { "" } else { "; \"of\": what memory would allow by itself, where that is less than twice the peak" },
    );
    let (mut least, mut least_name) = (f64::MAX, "");
    for kernel in &kernels.layers {
        let Rates { forward, data_gradient, weight_gradient } = kernel.rates;
        let pct = |rate: f64| 100.0 * rate / kernel.peak;
        let share = |rate: f64, allowed: Option<f64>| {
            let limit = allowed.filter(|&allowed| allowed < 2.0 * kernel.peak);
            let limit = limit.map_or(String::new(), |limit| format!(" of {:.0}", pct(limit)));
            format!("{rate:.0} ({:.0} %{limit})", pct(rate))
        };
        let allowed = kernel.memory_allows;
        let data = data_gradient.map_or("not needed".into(), |rate| share(rate, allowed.and_then(|rates| rates.data_gradient)));
        text += &format!(
            "| {} | {} | {data} | {} | {:.0} |\n",
            kernel.name,
            share(forward, allowed.map(|rates| rates.forward)),
            share(weight_gradient, allowed.map(|rates| rates.weight_gradient)),
            kernel.peak
        );
        let slowest = forward.min(weight_gradient).min(data_gradient.unwrap_or(f64::MAX));
        if kernel.channels_in >= 16 && slowest / kernel.peak < least {
            (least, least_name) = (slowest / kernel.peak, &kernel.name);
        }
    }
    text += &format!("\nLeast share of a layer of 16 channels or more: {:.0} % ({least_name}); target: 70 %\n", 100.0 * least);
    text
}

fn of_rows(rows: &[Measured]) -> String {
    let with_peer = rows.iter().any(|row| !row.peer.is_empty());
    let mut text = String::from("\nMedians of all rounds; ratios are taken round by round\n\n");
    text += if with_peer {
        "| | views/s | peer | ratio: median (least to most) | of the bests | target | peak MB, peer | head, waiting |\n\
         |---|---|---|---|---|---|---|---|\n"
    } else {
        "| | views/s (least to most) | best step | peak MB | head, waiting |\n|---|---|---|---|---|\n"
    };
    for row in rows {
        let rates: Vec<f64> = row.ours.iter().map(|outcome| outcome.views_per_s).collect();
        let (ours, best) = (median(&rates), best(&row.ours));
        let peak = peak_mb(&row.ours);
        let shares = shares(&row.ours);
        let name = &row.name;
        if with_peer && row.peer.is_empty() {
            text += &format!("| {name} | {ours:.0} | | | | | {peak} | {shares} |\n");
        } else if with_peer {
            let ratios: Vec<f64> = row.ours.iter().zip(&row.peer).map(|(a, b)| a.views_per_s / b.views_per_s).collect();
            let peers: Vec<f64> = row.peer.iter().map(|outcome| outcome.views_per_s).collect();
            let (low, high) = range(&ratios);
            let asked = row.row.must_reach.map_or(String::new(), |ratio| format!("{ratio}"));
            text += &format!(
                "| {name} | {ours:.0} | {:.0} | **{:.2}** ({low:.2} to {high:.2}) | {:.2} | {asked} | {peak}, {} | {shares} |\n",
                median(&peers),
                median(&ratios),
                best / self::best(&row.peer),
                peak_mb(&row.peer),
            );
        } else {
            let (low, high) = range(&rates);
            text += &format!("| {name} | {ours:.0} ({low:.0} to {high:.0}) | {best:.0} | {peak} | {shares} |\n");
        }
    }
    text
}

fn best(outcomes: &[Outcome]) -> f64 {
    outcomes.iter().map(|outcome| outcome.best_views_per_s).fold(0.0, f64::max)
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::MAX, 0.0), |(low, high), &value| (value.min(low), value.max(high)))
}

fn peak_mb(outcomes: &[Outcome]) -> String {
    let peaks: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.peak_mb).collect();
    if peaks.is_empty() { "unknown".into() } else { format!("{:.0}", median(&peaks)) }
}

/// Of a step the share of the method's head, of a pipeline the share of waiting for views.
fn shares(outcomes: &[Outcome]) -> String {
    let of = |value: fn(&Outcome) -> Option<f64>| {
        let values: Vec<f64> = outcomes.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| median(&values))
    };
    let head = of(|outcome| outcome.head_pct).map(|share| format!("head {share:.0} %"));
    let waited = of(|outcome| outcome.waited_pct).map(|share| format!("waiting {share:.1} %"));
    head.into_iter().chain(waited).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::kernels::Kernel;
    use crate::bench::report::Machine;
    use crate::bench::{Arguments, rows};
    use clap::{Args, FromArgMatches};

    fn outcome(views_per_s: f64) -> Outcome {
        let waited_pct = Some(1.0);
        Outcome { views_per_s, best_views_per_s: 2.0 * views_per_s, peak_mb: Some(100.0), waited_pct, head_pct: None }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let matches = Arguments::augment_args(clap::Command::new("bench")).get_matches_from(["bench"]);
        let row = rows(&Arguments::from_arg_matches(&matches).expect("the defaults are valid")).remove(0);
        // Ratios 2, 10 and 3: their median is 3, while that of the medians, 40 / 10, is 4.
        let (ours, peer) = ([20.0, 100.0, 40.0], [10.0, 10.0, 40.0 / 3.0]);
        let measured = Measured { name: "pipeline".into(), row, ours: ours.map(outcome).into(), peer: peer.map(outcome).into() };
        let machine = Machine { processor: "p".into(), threads: 2, isa: "avx2".into(), commit: "c".into() };
        let text = markdown(&Report { machine, kernels: None, rows: vec![measured] });
        assert!(
            text.contains("| pipeline | 40 | 10 | **3.00** (2.00 to 10.00) | 7.50 | 4 | 100, 100 | waiting 1.0 % |"),
            "{text}"
        );
    }

    #[test]
    fn the_slowest_kernel_of_enough_channels_is_named() {
        let kernel = |name: &str, channels_in, forward| Kernel {
            name: name.into(),
            channels_in,
            rates: Rates { forward, data_gradient: None, weight_gradient: 90.0 },
            memory_allows: Some(Rates { forward: 80.0, data_gradient: None, weight_gradient: 200.0 }),
            peak: 100.0,
        };
        let layers = vec![kernel("narrow", 3, 10.0), kernel("slow", 16, 60.0), kernel("fast", 64, 95.0)];
        let text = of_kernels(&Kernels { isa: "avx2".into(), cached: false, layers });
        assert!(text.contains("16 channels or more: 60 % (slow)"), "{text}");
        assert!(text.contains("| slow | 60 (60 % of 80) | not needed | 90 (90 %) | 100 |"), "{text}");
    }
}
