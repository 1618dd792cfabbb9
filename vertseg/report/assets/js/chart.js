// The curve of a risk over the volume of cement, with its interval, and bars of the routes.
const CHART = { width: 420, height: 170, left: 40, right: 10, top: 10, bottom: 32 };

function chartPoint(volumes, volume, risk) {
  const { width, height, left, right, top, bottom } = CHART;
  const share = (volume - volumes[0]) / (volumes.at(-1) - volumes[0]);
  return [left + share * (width - left - right), top + (1 - risk) * (height - top - bottom)];
}

/** Points of a line; `scale` are the volumes that the horizontal axis spans. */
function path(scale, volumes, risks) {
  return risks.map((risk, i) => chartPoint(scale, volumes[i], risk).map((n) => n.toFixed(1)).join(",")).join(" ");
}

/** Risk of "any" over volume; `now` is where the slider stands, `simulated` shares of the simulated injections. */
function riskChart(volumes, curve, now, simulated) {
  const { width, height, left, right, bottom, top } = CHART;
  const risks = curve.risk.any;
  const parts = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const [, y] = chartPoint(volumes, volumes[0], share);
    parts.push(drawn("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }));
    parts.push(drawn("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, percent(share)));
  }
  for (const volume of volumes.filter((v) => Number.isInteger(v))) {
    const [x] = chartPoint(volumes, volume, 0);
    parts.push(drawn("text", { x, y: height - bottom + 15, "text-anchor": "middle" }, number(volume, 0)));
  }
  parts.push(drawn("text", { x: width - right, y: height - 2, "text-anchor": "end" }, t("leaks.volume_axis")));
  if (curve.low) {
    const upper = path(volumes, volumes, curve.high.any);
    const lower = path(volumes, [...volumes].reverse(), [...curve.low.any].reverse());
    parts.push(drawn("polygon", { points: `${upper} ${lower}`, class: "band" }));
  }
  parts.push(drawn("polyline", { points: path(volumes, volumes, risks), class: "curve" }));
  if (simulated) parts.push(drawn("polyline", { points: path(volumes, simulated.volumes, simulated.shares), class: "simulated" }));
  const [x, y] = chartPoint(volumes, now.volume, now.risk);
  parts.push(drawn("line", { x1: x, x2: x, y1: top, y2: height - bottom, class: "now" }));
  parts.push(drawn("circle", { cx: x, cy: y, r: 5, class: "now" }));
  return drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": t("leaks.chart"), class: "chart" }, parts);
}

/** One bar with its interval; shares 0 to 1. */
function bar(name, risk, low, high) {
  const mark = [element("span", { class: "fill", style: `width:${100 * risk}%` })];
  if (low !== null && low !== undefined) {
    mark.push(element("span", { class: "whisker", style: `left:${100 * low}%;width:${Math.max(0.4, 100 * (high - low))}%` }));
  }
  const interval = low === null || low === undefined ? "" : ` (${percent(low)}\u2013${percent(high)})`;
  return element("div", { class: "bar" },
    element("span", { class: "bar-name" }, name),
    element("span", { class: "track", "aria-hidden": "true" }, mark),
    element("span", { class: "bar-value" }, percent(risk) + interval),
  );
}
