"use strict";

// The charging sessions of a house, as the "live" event brings them.
(() => {
  const panel = document.querySelector("[data-charging]");
  if (!panel) return;
  const list = panel.querySelector("[data-charging-list]");
  let shown = null;

  const cell = (tag, text, number) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (tag === "th") made.scope = "row";
    made.classList.toggle("number", number);
    return made;
  };

  const row = one => {
    const made = document.createElement("tr");
    made.append(cell("th", one.start, false), cell("td", one.charger, false));
    made.append(cell("td", one.duration, true), cell("td", one.energy, true));
    return made;
  };

  document.addEventListener("live", ({ detail }) => {
    const next = JSON.stringify(detail.sessions);
    if (!detail.sessions || next === shown) return;
    shown = next;
    list.querySelector("tbody").replaceChildren(...detail.sessions.map(row));
    list.hidden = !detail.sessions.length;
    panel.querySelector("[data-charging-empty]").hidden = !!detail.sessions.length;
  });
})();
