//! The plot of growth, as an SVG.

use std::path::Path;

use plotters::prelude::*;

use crate::Fallible;

const SIZE: (u32, u32) = (860, 520);
/// Colours that are told apart in print and by most eyes.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(120, 120, 120),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];

/// One line of a plot.
pub struct Curve {
    /// What it shows, with the unit.
    pub name: &'static str,
    /// Experiments, and the value.
    pub points: Vec<(usize, f64)>,
}

/// Draws the curves over the number of experiments, both on logarithmic scales.
pub fn draw(file: &Path, curves: &[Curve]) -> Fallible<()> {
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    let most = all().map(|(x, _)| *x).max().unwrap_or(1);
    let least = all().map(|(x, _)| *x).min().unwrap_or(1);
    let low = all()
        .map(|(_, y)| *y)
        .fold(f64::INFINITY, f64::min)
        .max(1e-4);
    let high = all().map(|(_, y)| *y).fold(0.0, f64::max);
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .caption("Cost by experiments of 4 pods", ("sans-serif", 20))
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(
            (to_f64(least)..to_f64(most)).log_scale(),
            (low * 0.7..high * 1.5).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("experiments")
        .light_line_style(WHITE)
        .draw()?;
    for (curve, colour) in curves.iter().zip(COLOURS) {
        let points = || curve.points.iter().map(|(x, y)| (to_f64(*x), y.max(low)));
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points(), style).point_size(3))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a count of experiments")]
pub fn to_f64(count: usize) -> f64 {
    count as f64
}
