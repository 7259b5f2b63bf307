/* Draws the curves of the figures in [data-charts] and keeps them up to date while a run goes on.
   The numbers stand in tables beside them, which the server draws. */
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { merged, scaled, smoothed } from "./points.js";

const REFRESH_MS = 3000;
const HEIGHT_PX = 220;
const SERIES = 7;
const section = document.querySelector("[data-charts]");
const plots = new Map();
const options = { smooth: false, log: false };
let charts = [];

/** The colour a token has now, in a form that a canvas takes. */
function colour(token) {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function short(value) {
  return value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString();
}

function axis(ink, line) {
  const values = (_plot, splits) => splits.map(short);
  return { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, values };
}

/** The band of what is allowed: from the bottom up to the limit. */
function band(limit, fill, edge) {
  return (plot) => {
    const { ctx, bbox } = plot;
    const top = Math.max(bbox.top, Math.min(plot.valToPos(limit, "y", true), bbox.top + bbox.height));
    ctx.save();
    ctx.fillStyle = fill;
    ctx.fillRect(bbox.left, top, bbox.width, bbox.top + bbox.height - top);
    if (limit <= plot.scales.y.max) {
      ctx.strokeStyle = edge;
      ctx.setLineDash([6, 4]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, top);
      ctx.lineTo(bbox.left + bbox.width, top);
      ctx.stroke();
    }
    ctx.restore();
  };
}

function settings(chart, width) {
  const ink = colour("--ink-soft");
  const line = colour("--line");
  const sparse = (chart.curves[0]?.steps.length ?? 0) < 40;
  const series = chart.curves.map((curve, place) => ({
    label: curve.label,
    stroke: colour(`--series-${(place % SERIES) + 1}`),
    width: 2,
    dash: place >= SERIES ? [8, 4] : undefined,
    spanGaps: true,
    points: { show: sparse || curve.steps.length < 10, size: 5 },
    value: (_plot, value) => short(value),
  }));
  const drawn = chart.limit === null ? [] : [band(chart.limit, colour("--good-tint"), colour("--good"))];
  return {
    width,
    height: HEIGHT_PX,
    scales: { x: { time: false }, y: { distr: options.log ? 3 : 1 } },
    axes: [axis(ink, line), { ...axis(ink, line), size: 56 }],
    series: [{ label: section.dataset.stepLabel || "Step" }, ...series],
    hooks: { drawClear: drawn },
    cursor: { drag: { x: true, y: false } },
  };
}

function points(chart) {
  const curves = chart.curves.map((curve) => ({
    steps: curve.steps,
    values: scaled(options.smooth ? smoothed(curve.values) : curve.values, options.log),
  }));
  return merged(curves);
}

function draw(chart, isAnew) {
  const place = section.querySelector(`[data-chart="${CSS.escape(chart.key)}"] .chart-plot`);
  if (!place) {
    return;
  }
  const known = plots.get(chart.key);
  if (known && !isAnew && known.series.length === chart.curves.length + 1) {
    known.setData(points(chart));
    return;
  }
  known?.destroy();
  plots.set(chart.key, new uPlot(settings(chart, place.clientWidth), points(chart), place));
}

function drawAll(isAnew = false) {
  for (const chart of charts) {
    draw(chart, isAnew);
  }
}

async function load() {
  const answer = await fetch(section.dataset.charts, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    return "unknown";
  }
  const told = await answer.json();
  const missing = told.charts.some((chart) => !section.querySelector(`[data-chart="${CSS.escape(chart.key)}"]`));
  charts = told.charts;
  if (missing) {
    location.reload(); // the first numbers of a kind: the server draws their figure and table
    return told.state;
  }
  drawAll();
  return told.state;
}

async function keepLoading() {
  let state = "unknown";
  try {
    state = await load();
  } catch {
    // The server is away for a moment.
  }
  if (["queued", "running", "unknown"].includes(state)) {
    setTimeout(keepLoading, REFRESH_MS);
  }
}

function start() {
  const box = section.querySelector(".chart-options");
  box.hidden = false;
  box.addEventListener("change", (event) => {
    options[event.target.dataset.chartOption] = event.target.checked;
    drawAll(true);
  });
  new ResizeObserver(() => {
    for (const [key, plot] of plots) {
      const place = section.querySelector(`[data-chart="${CSS.escape(key)}"] .chart-plot`);
      plot.setSize({ width: place.clientWidth, height: HEIGHT_PX });
    }
  }).observe(section);
  new MutationObserver(() => drawAll(true)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
  keepLoading();
}

if (section) {
  start();
}
