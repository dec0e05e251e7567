//! The chart of a soak: memory, latency and requests over time. Its colours suit a light and a dark page.

use super::sample::Sample;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 60.0;
const PANEL: f64 = 90.0;
const STEP: f64 = 128.0;
const TOP: f64 = 52.0;

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#24292f}.title{font-size:14px;font-weight:600}\
    polyline{fill:none;stroke-width:1.5}.a{stroke:#0969da}.b{stroke:#8c959f}.c{stroke:#bf8700}.axis{stroke:#d0d7de}\
    .mark{stroke:#8250df;stroke-width:1}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.a{stroke:#58a6ff}\
    .b{stroke:#6e7681}.c{stroke:#d29922}.axis{stroke:#30363d}.mark{stroke:#a371f7}}";

/// A line of a panel: its class, and its value in each sample.
type Line<'s> = (&'static str, &'s dyn Fn(&Sample) -> f64);

/// Draws it.
pub fn draw(samples: &[Sample]) -> String {
    let seconds = samples.last().map_or(1.0, |sample| sample.second as f64);
    let height = TOP + 4.0 * STEP + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Memory and latency over {:.0} minutes\">\n<style>{STYLE}</style>\n",
        seconds / 60.0
    );
    svg += &format!("<text class=\"title\" x=\"8\" y=\"20\">Soak: {:.0} minutes</text>\n", seconds / 60.0);
    let x = |sample: &Sample| LEFT + (WIDTH - LEFT - 10.0) * sample.second as f64 / seconds;
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let panels: [(&str, &[Line<'_>]); 4] = [
        ("Linear memory of one worker's VM, MiB", &[("a", &|sample| mib(sample.vm_memory))]),
        ("Memory of Envoy with all its VMs, MiB", &[("a", &|sample| mib(sample.resident))]),
        (
            "Median latency, ms: with the filter (blue), without it (grey); marks: a rotation of keys, and a configuration",
            &[("b", &|sample| sample.bare_p50 as f64 / 1000.0), ("a", &|sample| sample.gate_p50 as f64 / 1000.0)],
        ),
        (
            "Requests a second: all (blue), hostile (yellow)",
            &[
                ("c", &|sample| sample.window.hostile as f64 / super::SAMPLE as f64),
                ("a", &|sample| sample.window.requests as f64 / super::SAMPLE as f64),
            ],
        ),
    ];
    for (index, (title, lines)) in panels.iter().enumerate() {
        let top = TOP + STEP * index as f64;
        let bottom = top + PANEL;
        let values = lines.iter().flat_map(|(_, of)| samples.iter().map(of));
        // Rounded up to two digits, so that the axis says something that is easily read.
        let most = values.fold(0.1, f64::max);
        let unit = 10_f64.powf(most.log10().floor()) / 2.0;
        let most = (most / unit).ceil() * unit;
        svg += &format!("<text x=\"{LEFT}\" y=\"{:.1}\">{title}</text>\n", top - 8.0);
        for (share, value) in [(0.0, 0.0), (0.5, most / 2.0), (1.0, most)] {
            let y = bottom - PANEL * share;
            svg += &format!(
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n",
                WIDTH - 10.0
            );
            svg += &format!("<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n", LEFT - 6.0, y + 4.0);
        }
        if index == 2 {
            for sample in samples.iter().filter(|sample| sample.events.rotations + sample.events.configurations > 0) {
                let (x, end) = (x(sample), bottom + if sample.events.rotations > 0 { 6.0 } else { 3.0 });
                svg +=
                    &format!("<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{end:.1}\"/>\n");
            }
        }
        for (class, of) in *lines {
            let point = |sample: &Sample| format!("{:.1},{:.1}", x(sample), bottom - PANEL * of(sample) / most);
            let points: Vec<String> = samples.iter().map(point).collect();
            svg += &format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" "));
        }
    }
    for tenth in 0..=10 {
        let minute = seconds / 60.0 * f64::from(tenth) / 10.0;
        let x = LEFT + (WIDTH - LEFT - 10.0) * f64::from(tenth) / 10.0;
        svg += &format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{minute:.0}</text>\n", height - 14.0);
    }
    svg += &format!("<text x=\"8\" y=\"{:.1}\">minutes</text>\n", height - 14.0);
    svg + "</svg>\n"
}
