"use strict";

// The alerts of a house, as the "live" event brings them; hidden while there are none.
(() => {
  const panel = document.querySelector("[data-alerts]");
  if (!panel) return;
  const part = name => panel.querySelector(`[data-alerts-${name}]`);
  const open = part("open");
  const over = part("over");
  let shown = null;

  const item = (text, time, seen) => {
    const line = document.createElement("li");
    const words = document.createElement("span");
    const when = document.createElement("small");
    words.textContent = text;
    when.textContent = time;
    line.toggleAttribute("data-seen", seen);
    line.append(words, " ", when);
    return line;
  };

  const fill = alerts => {
    open.replaceChildren(
      ...alerts.open.map(one => item(one.text, `since ${one.since}${one.seen ? ", seen" : ""}`, one.seen)),
    );
    open.hidden = !alerts.open.length;
    over.querySelector("ul").replaceChildren(
      ...alerts.over.map(one => item(one.text, `${one.from} to ${one.to}`, false)),
    );
    over.hidden = !alerts.over.length;
    part("more").hidden = !alerts.more;
    part("more").querySelector("span").textContent = alerts.more;
    part("maintenance").hidden = !alerts.maintenance;
    part("until").textContent = alerts.maintenance?.until ?? "";
    part("reason").textContent = alerts.maintenance?.reason ?? "";
    panel.hidden = open.hidden && over.hidden && !alerts.maintenance;
  };

  document.addEventListener("live", ({ detail }) => {
    const next = JSON.stringify(detail.alerts);
    // Rewriting the same list would make screen readers say it again.
    if (next !== shown) fill(detail.alerts);
    shown = next;
  });
})();
