"use strict";

// The chart of a house's meters. When something new was worked out the panel is fetched again.
(() => {
  let panel = document.querySelector("[data-meters]");
  if (!panel) return;

  const { colour } = plots;

  const styled = trace => {
    const { look } = trace.meta;
    const derived = look === "derived";
    return { ...trace, line: { ...trace.line, color: colour(derived ? "accent" : look), width: derived ? 2.6 : 1.6 } };
  };

  // A phone has room for every other label.
  const ticks = ({ tickvals, ticktext }, plot) => {
    const every = plot.clientWidth < 480 ? 2 : 1;
    const kept = tickvals.map((_, i) => i).filter(i => i % every === 0);
    return { tickvals: kept.map(i => tickvals[i]), ticktext: kept.map(i => ticktext[i]), tickangle: 0 };
  };

  const layout = (figure, plot) => {
    const axis = plots.axis();
    return {
      ...figure.layout,
      ...plots.frame(),
      dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
      legend: { orientation: "h", y: -0.15 },
      hoverlabel: plots.hoverlabel(),
      xaxis: { ...figure.layout.xaxis, ...axis, ...ticks(figure.layout.xaxis, plot), showgrid: false, unifiedhovertitle: { text: "" } },
      yaxis: { ...figure.layout.yaxis, ...axis, nticks: 6 },
    };
  };

  const draw = () => {
    const plot = panel.querySelector("[data-meters-chart]");
    const told = panel.querySelector("#meters-figure");
    if (!plot || !told || !window.Plotly) return;
    const figure = JSON.parse(told.textContent);
    Plotly.react(plot, figure.data.map(styled), layout(figure, plot), { displayModeBar: false, responsive: true, showTips: false });
  };

  // A page without power cards has not loaded it.
  const withPlotly = then => {
    if (window.Plotly) return then();
    const script = document.createElement("script");
    script.src = panel.dataset.plotly;
    script.addEventListener("load", then);
    document.head.append(script);
  };

  let fetching = false;
  const renew = async () => {
    if (fetching) return;
    fetching = true;
    try {
      const response = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
      if (!response.ok) return;
      const next = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-meters]");
      if (!next) return location.reload();
      const open = panel.querySelector("details")?.open;
      panel.replaceWith(next);
      panel = next;
      if (open) panel.querySelector("details").open = true;
      withPlotly(draw);
    } finally {
      fetching = false;
    }
  };

  document.addEventListener("live", ({ detail }) => {
    if (detail.meters && detail.meters !== panel.dataset.meters) renew();
  });
  document.addEventListener("themechange", draw);
  withPlotly(draw);
})();
