"use strict";

// What the charts of a house's pages share: colours of the theme, and hours that fit side by side.
const plots = (() => {
  const STEPS = [1, 2, 3, 6, 12];
  const LABEL_WIDTH = 56;
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);

  // A custom property as the theme of the moment resolves it.
  const colour = name => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const translucent = (text, alpha) => text.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);

  // As many of the hours as fit; counted on the clock, so that 06:00 stays 06:00 on a 23-hour day.
  const ticks = (axis, width, [from, to]) => {
    const shown = axis.tickvals.filter(instant => instant >= from && instant <= to).length;
    const room = Math.max(2, Math.floor(width / LABEL_WIDTH));
    const step = STEPS.find(each => shown / each <= room) ?? 24;
    const kept = axis.tickvals.map((_, i) => i).filter(i => Number(axis.ticktext[i].slice(0, 2)) % step === 0);
    return { tickvals: kept.map(i => axis.tickvals[i]), ticktext: kept.map(i => axis.ticktext[i]) };
  };

  const axis = () => ({ gridcolor: colour("line"), zerolinecolor: colour("field"), zerolinewidth: 1, ticks: "", automargin: true, title: { text: "" } });

  const frame = () => ({
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
    paper_bgcolor: colour("surface"),
    plot_bgcolor: colour("surface"),
    margin: { l: 8, r: 6, t: 10, b: 4 },
  });

  const hoverlabel = () => ({ bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("ink") } });

  const config = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false };

  return { colour, translucent, ticks, axis, frame, hoverlabel, config };
})();
