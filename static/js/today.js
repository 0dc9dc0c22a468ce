"use strict";

// The energy of the day: a ring of where it came from, and a row for each flow. Both come with the "live" event.
(() => {
  const plot = document.querySelector("[data-ring]");
  const rows = new Map([...document.querySelectorAll("[data-flow]")].map(row => [row.dataset.flow, row]));
  let ring = null;

  const { colour } = plots;

  const fill = ({ item, text, note }) => {
    const row = rows.get(item);
    if (!row) return;
    row.querySelector("[data-flow-value]").textContent = text;
    row.querySelector("[data-flow-note]").textContent = note;
  };

  const total = () => ring.values.reduce((sum, value) => sum + value, 0);

  const draw = () => {
    if (!ring) return;
    const some = total() > 0;
    const font = { family: getComputedStyle(document.body).fontFamily, color: colour("ink") };
    const trace = {
      type: "pie", hole: 0.68, sort: false, direction: "clockwise", textinfo: "none", hoverinfo: some ? "label+percent" : "none",
      labels: some ? ring.labels : ["Nothing yet"],
      values: some ? ring.values : [1],
      marker: { colors: some ? ring.tones.map(colour) : [colour("sunken")], line: { color: colour("surface"), width: 2 } },
    };
    const centre = some ? `<b>${total().toFixed(1)}</b><br>kWh in` : "Nothing yet";
    Plotly.react(plot, [trace], {
      font, showlegend: false, paper_bgcolor: colour("surface"), margin: { l: 4, r: 4, t: 4, b: 4 },
      hoverlabel: plots.hoverlabel(),
      annotations: [{ text: centre, showarrow: false, font: { size: 15 } }],
    }, { displayModeBar: false, responsive: true });
  };

  document.addEventListener("live", ({ detail }) => {
    if (!detail.today) return;
    detail.today.rows.forEach(fill);
    ring = detail.today.ring;
    draw();
  });
  document.addEventListener("themechange", draw);
})();
