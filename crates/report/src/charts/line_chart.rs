//! Line charts as themed SVG.
//!
//! plotters lays out axes and lines; it writes fixed colours and whole-pixel coordinates, though. So charts are drawn
//! with reserved colours that become CSS classes, on a canvas [`SCALE`] times as large as they are shown.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::{Error, Result};

const WIDTH_PX: u32 = 360;
const HEIGHT_PX: u32 = 210;
/// Canvas units a pixel: curves are drawn to a quarter of a pixel.
const SCALE: u32 = 4;
const LABEL_PX: f64 = 11.5;
/// plotters' SVG backend divides font sizes by this.
const FONT_FACTOR: f64 = 1.24;

/// Reserved colours and the CSS classes that they become. No chart uses them as colours.
const INK: (RGBColor, &str) = (RGBColor(1, 2, 0), "ink");
const GRID: (RGBColor, &str) = (RGBColor(1, 2, 1), "grid");
const AXIS: (RGBColor, &str) = (RGBColor(1, 2, 2), "axis");
const REFERENCE: (RGBColor, &str) = (RGBColor(1, 2, 3), "reference");
const SERIES: [(RGBColor, &str); 6] = [
    (RGBColor(1, 2, 10), "s0"),
    (RGBColor(1, 2, 11), "s1"),
    (RGBColor(1, 2, 12), "s2"),
    (RGBColor(1, 2, 13), "s3"),
    (RGBColor(1, 2, 14), "s4"),
    (RGBColor(1, 2, 15), "s5"),
];

/// More lines than these would repeat a style.
pub(crate) const MAX_SERIES: usize = SERIES.len();

/// One line of a chart.
pub(crate) struct Series {
    pub(crate) name: String,
    /// Finite points, x ascending.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Up to [`MAX_SERIES`] lines over one axis.
pub(crate) struct LineChart<'a> {
    pub(crate) title: &'a str,
    /// What the picture shows, for those who cannot see it.
    pub(crate) alt: String,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: fn(f64) -> String,
    /// A value that the y axis reaches down to at least.
    pub(crate) y_floor: Option<f64>,
    /// A dashed line at this y with its meaning.
    pub(crate) reference: Option<(f64, &'a str)>,
    pub(crate) series: Vec<Series>,
}

impl LineChart<'_> {
    /// A `figure` with title, legend (where there are several lines) and the SVG; `None` without a point to draw.
    pub(crate) fn figure(&self) -> Result<Option<Markup>> {
        let Some((x, y)) = self.ranges() else {
            return Ok(None);
        };
        let svg = self.svg(x, y)?;
        Ok(Some(html! {
            figure.chart {
                figcaption { h3 { (self.title) } }
                (PreEscaped(svg))
                @if self.series.len() > 1 || self.reference.is_some() {
                    ul.legend {
                        @if self.series.len() > 1 {
                            // A line keeps its style from chart to chart, so one without points keeps its place.
                            @for (series, (_, class)) in self.series.iter().zip(SERIES) {
                                @if !series.points.is_empty() { li { (line_sample(class)) (series.name) } }
                            }
                        }
                        @if let Some((_, meaning)) = self.reference {
                            li { (line_sample(REFERENCE.1)) (meaning) }
                        }
                    }
                }
            }
        }))
    }

    fn ranges(&self) -> Option<((f64, f64), (f64, f64))> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let bounds = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let x = bounds(&mut points().map(|point| point.0));
        let reference = self.reference.map(|(value, _)| value);
        let y = bounds(&mut points().map(|point| point.1).chain(reference).chain(self.y_floor));
        points().next()?;
        let margin = (y.1 - y.0) * 0.06;
        let margin = match () {
            () if margin > 0.0 => margin,
            () if self.y_floor == Some(y.1) => 1.0, // nothing but the floor, which needs no fine scale
            () => y.1.abs().max(1.0) * 0.05,
        };
        let low = if self.y_floor == Some(y.0) { y.0 } else { y.0 - margin };
        let x_high = if x.1 > x.0 { x.1 } else { x.0 + 1.0 };
        Some(((x.0, x_high), (low, y.1 + margin)))
    }

    fn svg(&self, x: (f64, f64), y: (f64, f64)) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg, x, y).map_err(|error| Error::Chart { chart: self.title.to_owned(), reason: error.to_string() })?;
        Ok(themed(&svg, &self.alt))
    }

    fn draw(&self, svg: &mut String, x: (f64, f64), y: (f64, f64)) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let px = |pixels: u32| pixels * SCALE;
        let text = |pos| {
            let size = LABEL_PX * f64::from(SCALE) * FONT_FACTOR;
            TextStyle::from(("sans-serif", size).into_font()).color(&INK.0).pos(pos)
        };
        let root = SVGBackend::with_string(svg, (px(WIDTH_PX), px(HEIGHT_PX))).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(px(8))
            .margin_right(px(12))
            .x_label_area_size(px(36))
            .y_label_area_size(px(46))
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|value| crate::numbers::short(*value))
            .y_label_formatter(&|value| (self.y_label)(*value))
            .label_style(text(Pos::new(HPos::Left, VPos::Top)))
            .axis_desc_style(text(Pos::new(HPos::Center, VPos::Top)))
            .x_desc(self.x_label)
            .axis_style(AXIS.0)
            .bold_line_style(GRID.0)
            .light_line_style(TRANSPARENT)
            .set_all_tick_mark_size(px(3))
            .draw()?;
        if let Some((value, _)) = self.reference {
            chart.draw_series(LineSeries::new([(x.0, value), (x.1, value)], REFERENCE.0))?;
        }
        // The first line is whole, each after it broken otherwise: on top of each other, all of them show.
        for (place, (series, (colour, _))) in self.series.iter().zip(SERIES).enumerate() {
            match series.points[..] {
                [] => {}
                [only] => {
                    let radius = px(3) + px(1) * (self.series.len() - 1 - place) as u32;
                    chart.draw_series([Circle::new(only, radius, colour.filled())])?;
                }
                _ => {
                    chart.draw_series(LineSeries::new(series.points.iter().copied(), colour))?;
                }
            }
        }
        root.present()?;
        Ok(())
    }
}

/// Replaces the reserved colours by classes, the fixed size by one that fits its place, and adds the description.
fn themed(svg: &str, alt: &str) -> String {
    let mut themed = svg.to_owned();
    for (RGBColor(r, g, b), class) in [INK, GRID, AXIS, REFERENCE].into_iter().chain(SERIES) {
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        themed = themed
            .replace(&format!(r#"stroke="{hex}""#), &format!(r#"class="line {class}""#))
            .replace(&format!(r#"fill="{hex}""#), &format!(r#"class="fill {class}""#));
    }
    themed = themed
        .replace(r#" opacity="1""#, "")
        .replace(r#" stroke-width="1""#, "")
        .replace(r#" font-family="sans-serif""#, "")
        .replace(r#" stroke="none""#, "");
    let body = themed.split_once('>').map_or("", |(_, body)| body);
    let open = html! {
        (PreEscaped(format!(r#"<svg viewBox="0 0 {} {}" role="img">"#, WIDTH_PX * SCALE, HEIGHT_PX * SCALE)))
        title { (alt) }
    };
    format!("{}{}", open.into_string(), body.trim_start())
}

fn line_sample(class: &str) -> Markup {
    html! {
        svg.sample viewBox="0 0 26 10" aria-hidden="true" { line.line.(class) x1="1" y1="5" x2="25" y2="5" {} }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_on_top_of_each_other_all_show() {
        let series = |name: &str| Series { name: name.to_owned(), points: vec![(0.0, 1.0), (1.0, 0.5)] };
        let chart = LineChart {
            title: "Loss",
            alt: String::new(),
            x_label: "epoch",
            y_label: crate::numbers::short,
            y_floor: None,
            reference: None,
            series: (0..MAX_SERIES).map(|number| series(&number.to_string())).collect(),
        };
        let page = chart.figure().unwrap().unwrap().into_string();
        let drawn: Vec<usize> = SERIES.iter().map(|(_, class)| page.find(&format!("class=\"line {class}\"")).unwrap()).collect();
        assert!(drawn.is_sorted(), "{drawn:?}: the whole line lies below the broken ones");
        let style = include_str!("../page/style.css");
        for (_, class) in &SERIES[1..] {
            let rule = style.lines().find(|line| line.starts_with(&format!(".line.{class} {{"))).unwrap();
            assert!(rule.contains("stroke-dasharray"), "{rule}");
        }
        assert!(
            style.contains(".line.s1, .line.s2, .line.s3, .line.s4, .line.s5 { stroke-linecap: butt; }"),
            "caps would fill the gaps"
        );
        // A single point each: rings around each other.
        let points = |number: usize| Series { name: number.to_string(), points: vec![(0.0, 1.0)] };
        let dots = LineChart { series: (0..3).map(points).collect(), ..chart }.figure().unwrap().unwrap().into_string();
        let radii: Vec<u32> = dots.split(" r=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        assert_eq!(radii, [20, 16, 12]);
    }
}
