"use strict";

// The chart of a report, and how a bar came about.
(() => {
  const plot = document.querySelector("[data-report-chart]");
  const explanation = document.querySelector("[data-explanation]");
  const figure = JSON.parse(document.getElementById("report-figure").textContent);

  // ---- Chart

  const { colour, translucent } = plots;

  const number = (value, unit) => {
    if (value === null || value === undefined) return "not measured";
    return `${value.toFixed(Math.abs(value) < 10 ? 2 : 1).replace("-", "−")} ${unit}`;
  };

  const label = trace =>
    trace.y.map((value, i) => {
      const coverage = trace.customdata?.[i];
      const gap = coverage === null || coverage === undefined || coverage >= 0.95 ? "" : `<br>${Math.round(coverage * 100)} % measured`;
      return `${trace.text[i]}<br><b>${number(value, trace.meta.unit)}</b>${gap}`;
    });

  const bars = trace => {
    const ink = colour(trace.meta.tone);
    const pattern = { ...trace.marker.pattern, fillmode: "overlay", fgcolor: colour("surface"), size: 7, solidity: 0.3 };
    return { ...trace, text: undefined, hovertext: label(trace), hoverinfo: "text+name", marker: { color: ink, pattern } };
  };

  const line = trace => {
    const ink = colour("ink");
    return { ...trace, text: undefined, hovertext: label(trace), hoverinfo: "text+name", line: { color: ink, width: 1.8, simplify: false }, marker: { color: ink, size: 5 } };
  };

  const gaps = trace => ({
    ...trace,
    text: undefined,
    marker: { color: "rgba(0,0,0,0)", line: { width: 0 }, pattern: { shape: "/", fgcolor: translucent(colour("muted"), 0.45), size: 8, solidity: 0.2 } },
  });

  const styled = trace => (trace.meta.gaps ? gaps(trace) : trace.meta.line ? line(trace) : bars(trace));

  // As many labels as fit side by side.
  const ticks = axis => {
    const step = Math.ceil(axis.tickvals.length / Math.max(2, Math.floor(plot.clientWidth / 64)));
    const kept = list => list.filter((_, i) => i % step === 0);
    return { tickvals: kept(axis.tickvals), ticktext: kept(axis.ticktext) };
  };

  const layout = () => {
    const axis = { ...plots.axis(), fixedrange: true };
    const side = { ...axis, showgrid: false };
    const given = figure.layout;
    return {
      ...given,
      ...plots.frame(),
      dragmode: false,
      margin: { l: 8, r: 8, t: 26, b: 4 },
      hoverlabel: { ...plots.hoverlabel(), namelength: 0 },
      xaxis: { ...given.xaxis, ...axis, ...ticks(given.xaxis), showgrid: false },
      yaxis: { ...given.yaxis, ...axis },
      yaxis2: { ...given.yaxis2, ...side, tickmode: "auto", nticks: 6 },
      annotations: [
        { text: "kWh", xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", showarrow: false },
        ...(given.yaxis2.title ? [{ text: given.yaxis2.title.text, xref: "paper", yref: "paper", x: 1, y: 1, xanchor: "right", yanchor: "bottom", showarrow: false }] : []),
      ],
    };
  };

  const draw = () => Plotly.react(plot, figure.data.map(styled), layout(), { displayModeBar: false, responsive: true, showTips: false });

  // ---- Explanation

  const items = figure.data.filter(trace => trace.meta.item);
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };

  const inputs = found => {
    const table = document.createElement("table");
    const head = document.createElement("tr");
    ["Input", "Value", "Measured"].forEach(text => head.append(element("th", text, { scope: "col" })));
    table.append(document.createElement("thead"));
    table.tHead.append(head);
    const body = table.createTBody();
    found.forEach(input => {
      const row = body.insertRow();
      const coverage = input.coverage === null || input.coverage === undefined ? "" : `${Math.round(input.coverage * 100)} %`;
      [input.series, input.value === null ? "missing" : String(Number(input.value.toPrecision(6))), coverage].forEach(text => row.append(element("td", text)));
    });
    return table;
  };

  const explain = async (item, start, title) => {
    const bounds = items[0].x;
    const end = bounds[bounds.indexOf(start) + 1] ?? Number(plot.dataset.end);
    const asked = new URLSearchParams({ item, start, end, every: plot.dataset.every, aggregate: "integral", explain: start });
    const answer = await fetch(`${plot.dataset.explain}?${asked}`, { headers: { Accept: "application/json" } });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error?.message ?? `HTTP ${answer.status}`);
    const { value, formula, version, inputs: found } = body.explain;
    const section = document.createElement("div");
    section.append(element("h3", `${item}, ${title}`));
    const says = element("p", `${number(value, "kWh")} is the integral of `);
    says.append(element("code", formula), ` (version ${version}) over:`);
    section.append(says, inputs(found));
    return section;
  };

  const show = async (start, title) => {
    explanation.hidden = false;
    explanation.replaceChildren(element("p", "Looking it up …", { class: "muted" }));
    try {
      explanation.replaceChildren(...(await Promise.all(items.map(trace => explain(trace.meta.item, start, title)))));
    } catch (error) {
      explanation.replaceChildren(element("p", `It cannot be explained now: ${error.message}`, { class: "notice" }));
    }
  };

  document.querySelectorAll("[data-explain-bin]").forEach(button =>
    button.addEventListener("click", () => {
      explanation.scrollIntoView({ block: "nearest" });
      return show(Number(button.dataset.explainBin), button.textContent);
    }),
  );

  draw();
  plot.on("plotly_click", event => {
    const point = event.points.find(each => each.data.meta.item);
    if (point) show(point.x, items[0].text[point.pointIndex]);
  });
  document.addEventListener("themechange", draw);
  addEventListener("beforeprint", draw);
})();
