"use strict";

// The power cards and the chart of the day. The numbers come with the "live" event; ages grow by themselves.
(() => {
  const { colour, translucent, config } = plots;

  const cards = new Map([...document.querySelectorAll("[data-card]")].map(card => [card.dataset.card, card]));
  const chips = new Map([...document.querySelectorAll("[data-chip]")].map(chip => [chip.dataset.chip, chip]));
  const plot = document.querySelector("[data-chart]");
  const readout = document.querySelector("[data-readout]");
  const waiting = document.querySelector("[data-waiting]");
  const empty = document.querySelector("[data-chart-empty]");
  const hidden = new Set();
  let figure = null;

  // ---- Cards

  const AHEAD = 300000; // ms; a stamp farther ahead comes from a wrong clock

  const ago = ms => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
  };

  const note = (card, now) => {
    const { timestamp, missing, state } = card.dataset;
    if (missing && state !== "offline") return `Nothing from ${missing}`;
    if (!timestamp) return "No reading yet";
    if (timestamp - now > AHEAD) return `Clock ${ago(timestamp - now)} ahead`;
    const age = ago(now - timestamp);
    return state === "offline" ? `No reading for ${age}` : `${age} ago`;
  };

  const flash = card => {
    card.classList.remove("fresh-value");
    void card.offsetWidth; // restarts the animation
    card.classList.add("fresh-value");
  };

  const fillSoc = (card, soc) => {
    const line = card.querySelector("[data-soc]");
    if (!line) return;
    line.hidden = soc === null;
    if (soc === null) return;
    line.querySelector("rect").setAttribute("width", soc);
    line.querySelector("[data-soc-text]").textContent = `${Math.round(soc)} %`;
  };

  const fill = (data, now) => {
    const card = cards.get(data.role);
    const newer = data.timestamp !== null && Number(card.dataset.timestamp) < data.timestamp;
    card.dataset.state = data.state;
    card.dataset.timestamp = data.timestamp ?? "";
    card.dataset.missing = data.missing.join(", ");
    card.querySelector("[data-value]").textContent = data.display;
    card.querySelector("[data-direction]").textContent = data.direction;
    fillSoc(card, data.soc);
    card.querySelector("[data-age]").textContent = note(card, now);
    if (newer) flash(card);
  };

  // ---- Chart

  const styled = trace => {
    const { role } = trace.meta;
    const ink = colour(role);
    return {
      ...trace,
      hoverinfo: "none",
      hovertemplate: null,
      visible: !hidden.has(role),
      marker: { ...trace.marker, color: ink },
      line: { color: ink, width: role === "load" ? 2.4 : 1.9, dash: role === "grid" ? "3px,3px" : "solid", simplify: false },
    };
  };

  // The sun as an area. Plotly would fill gaps as well, so the outline goes down to zero at each of them.
  const area = trace => {
    const x = [];
    const y = [];
    const add = (instant, value) => (x.push(instant), y.push(value));
    trace.y.forEach((value, i) => {
      if (value === null) return;
      if (i === 0 || trace.y[i - 1] === null) add(trace.x[i], 0);
      add(trace.x[i], value);
      if (i === trace.y.length - 1 || trace.y[i + 1] === null) add(trace.x[i], 0);
    });
    return {
      type: "scatter", mode: "lines", x, y, fill: "tozeroy", hoverinfo: "skip", visible: !hidden.has("solar"),
      fillcolor: translucent(colour("solar"), 0.16), line: { width: 0, simplify: false },
    };
  };
  const areas = () => figure.data.filter(trace => trace.meta.role === "solar").map(area);

  const ticks = range => plots.ticks(figure.layout.xaxis, plot.clientWidth, range);

  const seen = () => plot.layout?.xaxis?.range ?? figure.layout.xaxis.range;

  const nothingYet = () => figure.data.every(trace => trace.y.every(value => value === null));

  const layout = () => {
    const axis = plots.axis();
    const sameDay = plot.layout?.uirevision === figure.layout.uirevision;
    const range = sameDay ? seen() : figure.layout.xaxis.range;
    return {
      ...figure.layout,
      ...plots.frame(),
      dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
      hoverdistance: -1,
      spikedistance: -1,
      xaxis: {
        ...figure.layout.xaxis, ...axis, ...ticks(range), range, showgrid: false,
        showspikes: true, spikemode: "across", spikesnap: "data", spikethickness: 1, spikedash: "solid", spikecolor: colour("field"),
      },
      // Without values Plotly would make up some to label.
      yaxis: { ...figure.layout.yaxis, ...axis, nticks: 6, ...(nothingYet() ? { range: [0, 1], showticklabels: false } : { autorange: true }) },
    };
  };

  const draw = () => {
    if (!figure || !plot.clientWidth) return;
    empty.hidden = !nothingYet();
    Plotly.react(plot, [...figure.data.map(styled), ...areas()], layout(), config);
  };

  const retick = changes => {
    if (!Object.keys(changes).some(key => key.startsWith("xaxis.range") || key === "xaxis.autorange" || key === "autosize")) return;
    const { tickvals, ticktext } = ticks(seen());
    if (tickvals.length === plot.layout.xaxis.tickvals.length) return;
    Plotly.relayout(plot, { "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext });
  };

  const number = value => (value === null || value === undefined ? "–" : value.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−"));

  // An own hover label: it shows gaps too, and keeps out of the way of the pointer.
  const read = index => {
    readout.hidden = index === null;
    if (index === null) return;
    const trace = figure.data[0];
    const [from, to] = seen();
    readout.dataset.side = trace.x[index] > (from + to) / 2 ? "left" : "right";
    readout.querySelector("[data-readout-time]").textContent = trace.text[index];
    figure.data.forEach(each => {
      const row = readout.querySelector(`[data-readout-row="${each.meta.role}"]`);
      row.hidden = hidden.has(each.meta.role);
      row.querySelector("dd").textContent = number(each.y[index]);
    });
  };

  // Plotly follows the mouse only; a finger on the plot reads the values under it, and one elsewhere ends that.
  const touched = event => {
    if (event.pointerType === "mouse" || !figure.data.length) return;
    const area = event.target.closest?.(".nsewdrag")?.getBoundingClientRect();
    if (!area) {
      if (event.type === "pointerdown") read(null);
      return;
    }
    const [from, to] = seen();
    const instant = from + ((event.clientX - area.left) / area.width) * (to - from);
    const index = figure.data[0].x.findLastIndex(start => start <= instant);
    read(index < 0 ? null : index);
  };

  const listen = () => {
    addEventListener("pointerdown", touched, true);
    addEventListener("pointermove", touched, true);
    plot.on("plotly_hover", event => read(event.points[0].pointIndex));
    plot.on("plotly_unhover", () => read(null));
    plot.on("plotly_relayout", retick);
  };

  const firstDraw = () => {
    draw();
    if (!plot.on) return;
    listen();
    plot.classList.add("drawn");
    new ResizeObserver(() => retick({ autosize: true })).observe(plot);
  };

  const update = next => {
    figure = next;
    if (plot.classList.contains("drawn")) draw();
    else firstDraw();
  };

  const toggle = chip => {
    const { chip: role } = chip.dataset;
    if (!hidden.delete(role)) hidden.add(role);
    chip.setAttribute("aria-pressed", String(!hidden.has(role)));
    draw();
  };

  // ---- Events

  document.addEventListener("live", ({ detail }) => {
    const roles = detail.cards.map(card => card.role);
    // Devices were added or taken away: the page is built anew.
    if (roles.join() !== [...cards.keys()].join()) return location.reload();
    detail.cards.forEach(card => fill(card, detail.now));
    if (waiting) waiting.hidden = detail.cards.some(card => card.timestamp !== null);
    if (plot) update(detail.chart);
  });
  document.addEventListener("tick", ({ detail }) =>
    cards.forEach(card => (card.querySelector("[data-age]").textContent = note(card, detail.now))),
  );
  document.addEventListener("themechange", draw);
  chips.forEach(chip => chip.addEventListener("click", () => toggle(chip)));
})();
