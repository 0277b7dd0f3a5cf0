// Lines over time or versions, drawn by uPlot, in the page's colours.

import { h } from "./dom.js";

const probe = h("span", { hidden: true });
document.body.append(probe);

/** A colour of the theme as the canvas takes it. */
export function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Keeps a plot as wide as its box and in the theme's colours; `make(width)` gives a fresh plot. */
function keep(box, signal, make) {
  let plot;
  const remake = () => {
    plot?.destroy();
    plot = box.clientWidth > 0 ? make(box.clientWidth) : undefined;
  };
  const sizes = new ResizeObserver(() => {
    if (plot) plot.setSize({ width: box.clientWidth, height: plot.height });
    else remake();
  });
  sizes.observe(box);
  addEventListener("themechange", remake);
  signal.addEventListener("abort", () => {
    sizes.disconnect();
    removeEventListener("themechange", remake);
    plot?.destroy();
  });
  return { remake, with: (work) => plot && work(plot) };
}

/** A small line without axes. Its picture is not for screen readers: the figure beside it is. */
export function spark(signal, tone) {
  const box = h("div", { class: "spark", "aria-hidden": "true" });
  let data = [[0], [null]];
  const make = (width) => new uPlot({
    width, height: 44, legend: { show: false }, cursor: { show: false }, padding: [4, 0, 2, 0],
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, low ?? 0, 1e-6) * 1.1] } },
    axes: [{ show: false }, { show: false }],
    series: [{}, { stroke: colour(tone), width: 1.5, fill: colour(`${tone}-faint`), points: { show: false }, spanGaps: true }],
  }, data, box);
  const kept = keep(box, signal, make);
  return {
    box,
    set(xs, ys) {
      data = [xs, ys];
      kept.with((plot) => plot.setData(data));
    },
  };
}

/** Lines over version numbers: `lines` as {name, tone, dash, width, band}; `told(index)` is where the pointer is. */
export function versionsPlot(signal, told) {
  const box = h("div", { class: "plot" });
  let shown = { xs: [], lines: [] };
  const make = (width) => {
    const axis = {
      stroke: colour("soft"), font: "12px Inter, system-ui, sans-serif", ticks: { show: false },
      grid: { stroke: colour("line"), width: 1 },
    };
    const series = shown.lines.map((line) => ({
      stroke: line.hidden ? "transparent" : colour(line.tone), width: line.hidden ? 0 : line.width ?? 1.5, dash: line.dash,
      points: { show: !line.hidden && (line.dots || shown.xs.length < 40), size: line.dots ? 7 : 5, fill: colour(line.tone) },
      spanGaps: true, paths: line.dots ? () => null : undefined,
    }));
    const band = shown.lines.findIndex((line) => line.hidden) + 1;
    return new uPlot({
      width, height: 280, legend: { show: false }, padding: [12, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      bands: band ? [{ series: [band, band + 1], fill: colour("accent-faint") }] : [],
      scales: {
        x: { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) },
        y: { range: (_, low, high) => [Math.max(0, low - (high - low) * 0.15), high + (high - low) * 0.15 || 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], values: (_, values) => values.map((v) => `v${v}`) },
        { ...axis, size: 56, values: (_, values) => values.map((v) => v.toFixed(v >= 10 ? 0 : 3)) },
      ],
      series: [{}, ...series],
      hooks: { setCursor: [(plot) => told(plot.cursor.idx)] },
    }, [shown.xs, ...shown.lines.map((line) => line.values)], box);
  };
  const kept = keep(box, signal, make);
  return {
    box,
    set(xs, lines) {
      shown = { xs, lines };
      kept.remake();
    },
  };
}
