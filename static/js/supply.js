"use strict";

// Voltage above frequency, on one clock. The numbers come with the "live" event.
(() => {
  const COLOURS = ["load", "ev", "solar", "grid", "battery", "bad"];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];

  const plot = document.querySelector("[data-supply-chart]");
  if (!plot) return;
  const empty = document.querySelector("[data-supply-empty]");
  const summary = document.querySelector("[data-supply-summary]");
  const { colour } = plots;
  let figure = null;

  // The colours of the legend, which the style sheet gives; dashes tell lines apart without them.
  const look = trace => {
    const { quantity, line } = trace.meta;
    const ink = colour(quantity === "frequency" ? "accent" : COLOURS[line]);
    const dash = quantity === "frequency" ? "solid" : DASHES[line];
    return { ...trace, marker: { ...trace.marker, color: ink }, line: { color: ink, dash, width: 1.9, simplify: false } };
  };

  const fillLegend = () => {
    const lines = new Set(figure.data.map(trace => String(trace.meta.line)));
    for (const item of document.querySelectorAll("[data-supply] [data-line]")) item.hidden = !lines.has(item.dataset.line);
  };

  // An axis as long as the values need, but never so short that noise looks like trouble.
  const range = (quantity, least) => {
    const values = figure.data.filter(trace => trace.meta.quantity === quantity).flatMap(trace => trace.y).filter(value => value !== null);
    if (!values.length) return {};
    const [low, high] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const middle = (low + high) / 2;
    const half = Math.max(least, (high - low) * 1.1) / 2;
    return { range: [middle - half, middle + half] };
  };

  const layout = () => {
    const quantities = new Set(figure.data.map(trace => trace.meta.quantity));
    const both = quantities.size > 1;
    const axis = { ...plots.axis(), fixedrange: true, nticks: 4, zeroline: false };
    return {
      ...figure.layout,
      ...plots.frame(),
      dragmode: false,
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("ink") } },
      xaxis: { ...figure.layout.xaxis, ...plots.axis(), ...plots.ticks(figure.layout.xaxis, plot.clientWidth, figure.layout.xaxis.range), fixedrange: true, showgrid: false, anchor: both || quantities.has("frequency") ? "y2" : "y" },
      yaxis: { ...axis, ...range("voltage", 10), domain: both ? [0.45, 1] : [0, 1], ticksuffix: " V", visible: quantities.has("voltage") },
      yaxis2: { ...axis, ...range("frequency", 0.2), domain: both ? [0, 0.32] : [0, 1], ticksuffix: " Hz", visible: quantities.has("frequency"), anchor: "x" },
    };
  };

  const draw = () => {
    if (!figure || !plot.clientWidth) return;
    const nothing = figure.data.every(trace => trace.y.every(value => value === null));
    empty.hidden = !nothing;
    Plotly.react(plot, nothing ? [] : figure.data.map(look), layout(), plots.config);
  };

  document.addEventListener("live", ({ detail }) => {
    if (!detail.supply) return;
    figure = detail.supply.figure;
    fillLegend();
    if (summary.textContent !== detail.supply.summary) summary.textContent = detail.supply.summary;
    draw();
  });
  document.addEventListener("themechange", draw);
})();
