//! The chart: requests a second of the contenders, three bars for each case. Its colours suit a light and a dark
//! page.

use super::measure::Result;

const WIDTH: f64 = 760.0;
/// Where the bars begin, and how long the longest is.
const LEFT: f64 = 150.0;
const LONGEST: f64 = 440.0;
const BAR: f64 = 11.0;
const ROW: f64 = 49.0;
const TOP: f64 = 62.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:14px;font-weight:600}\
    .number{font-size:11px}.ratio{font-weight:600}.ours{fill:#0969da}.module{fill:#1a7f37}.native{fill:#8c959f}.axis{stroke:#d0d7de}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#58a6ff}.module{fill:#3fb950}.native{fill:#6e7681}.axis{stroke:#30363d}}";

/// Draws it.
pub fn draw(results: &[Result], machine: &str) -> String {
    let most = results
        .iter()
        .flat_map(|result| [result.scopegate.rate(), result.module.rate(), result.native.rate()])
        .fold(1.0, f64::max);
    let height = TOP + ROW * results.len() as f64 + 26.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Requests a second of Scopegate as Wasm, as a native module, and of Envoy's own filters\">\n\
         <style>{STYLE}</style>\n"
    );
    svg += &text(8.0, 20.0, "title", "Requests a second, one worker on one core");
    svg += &rect(8.0, 32.0, 11.0, "ours");
    svg += &text(24.0, 42.0, "", "Scopegate, Wasm");
    svg += &rect(148.0, 32.0, 11.0, "module");
    svg += &text(164.0, 42.0, "", "Scopegate, native module");
    svg += &rect(344.0, 32.0, 11.0, "native");
    svg += &text(360.0, 42.0, "", "jwt_authn + rbac");
    svg += &text(WIDTH - 70.0, 42.0, "", "ratio");
    for (index, result) in results.iter().enumerate() {
        let top = TOP + ROW * index as f64;
        svg += &text(8.0, top + BAR + 3.0, "", result.case.name);
        for (place, class, rate) in [
            (0.0, "ours", result.scopegate.rate()),
            (1.0, "module", result.module.rate()),
            (2.0, "native", result.native.rate()),
        ] {
            let (top, length) = (top + place * (BAR + 2.0), (LONGEST * rate / most).max(1.0));
            svg += &rect(LEFT, top, length, class);
            svg += &text(LEFT + length + 5.0, top + BAR - 1.5, "number", &thousands(rate));
        }
        for (place, ratio) in [(0.0, result.ratio()), (1.0, result.module_ratio())] {
            svg += &text(WIDTH - 70.0, top + place * (BAR + 2.0) + BAR - 1.5, "ratio", &format!("{ratio:.2}"));
        }
    }
    let bottom = height - 26.0;
    svg += &format!("<line class=\"axis\" x1=\"{LEFT}\" x2=\"{LEFT}\" y1=\"{}\" y2=\"{bottom}\"/>\n", TOP - 4.0);
    svg += &text(8.0, height - 8.0, "number", machine);
    svg + "</svg>\n"
}

fn rect(x: f64, y: f64, width: f64, class: &str) -> String {
    format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\n")
}

fn text(x: f64, y: f64, class: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n")
}

/// With a space between the thousands.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (small, rest) = (digits.len() % 3, digits.len() / 3);
    let mut groups: Vec<&str> = Vec::new();
    if small > 0 {
        groups.push(&digits[..small]);
    }
    groups.extend((0..rest).map(|index| &digits[small + 3 * index..small + 3 * index + 3]));
    groups.join(" ")
}
