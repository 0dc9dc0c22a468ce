"use strict";

// The editor of formulas: what is wrong and where, names to choose from, and a chart of the result.
document.addEventListener("DOMContentLoaded", () => {
  const PAUSE = 300; // ms without typing before the formula is looked at
  const TIMEOUT = 30000;
  const MOST = 8; // suggestions at once
  const BAR = 80; // px that the page's own bars take at its end
  const TOKEN = /(?:[A-Za-z_]\w*|"[^"\n]*"?)(?:[.:]+(?:\w+|"[^"\n]*"?)?)*$/;

  const input = document.querySelector("textarea[data-formula]");
  if (!input) return;

  const make = (tag, attributes = {}, text = "") => {
    const made = Object.assign(document.createElement(tag), { textContent: text });
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  const house = () => document.querySelector("select[name=house]")?.value ?? input.dataset.house;
  const nameOf = () => document.querySelector("input[name=name]")?.value ?? input.dataset.name;

  // ---- Asking the server

  const post = async (address, more, signal) => {
    const body = new FormData();
    const fields = { house: house(), name: nameOf(), item: input.dataset.item, formula: input.value, ...more };
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    const answer = await fetch(address, {
      method: "POST",
      body,
      redirect: "manual",
      signal,
      headers: { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  };

  // ---- What is wrong, and where

  const verdict = make("div", { class: "formula-verdict", id: "formula-verdict", role: "status" });
  input.after(verdict);
  input.setAttribute("aria-describedby", [input.getAttribute("aria-describedby"), "formula-verdict"].filter(Boolean).join(" "));

  // The line with the mistake, the mistake marked, and a caret under its first character.
  const excerpt = (text, column, length) => {
    const characters = Array.from(text);
    const at = Math.min(column - 1, characters.length);
    const begin = characters.lastIndexOf("\n", at - 1) + 1;
    const newline = characters.indexOf("\n", at);
    const line = characters.slice(begin, newline < 0 ? characters.length : newline);
    const place = at - begin;
    const until = Math.min(line.length, place + Math.max(1, length));
    const code = make("pre", { class: "formula-excerpt", "aria-hidden": "true", "data-excerpt": "" });
    code.append(
      line.slice(0, place).join(""),
      make("mark", {}, line.slice(place, until).join("") || " "),
      line.slice(until).join(""),
      "\n",
      " ".repeat(place),
      make("b", { "data-caret": "" }, "^"),
    );
    return code;
  };

  const fact = (term, description) => [make("dt", {}, term), make("dd", {}, description)];

  const told = answer => {
    const parts = [];
    if (answer.error) {
      const { column, length, message } = answer.error;
      if (column) parts.push(excerpt(input.value, column, length));
      parts.push(make("p", { class: "formula-error" }, column ? `Column ${column}: ${message}` : message));
      return parts;
    }
    const facts = make("dl", { class: "formula-facts" });
    if (answer.result) facts.append(...fact("Result", answer.result));
    facts.append(...fact("Reads", answer.inputs.join(", ") || "nothing, it is a number"));
    parts.push(facts);
    for (const warning of answer.warnings) parts.push(make("p", { class: "formula-warning" }, warning));
    if (answer.refusal) parts.push(make("p", { class: "formula-note" }, answer.refusal));
    return parts;
  };

  const show = answer => {
    verdict.replaceChildren(...told(answer));
    verdict.dataset.state = answer.error ? "bad" : "good";
    input.setAttribute("aria-invalid", String(Boolean(answer.error)));
    verdict.querySelector("mark")?.scrollIntoView({ block: "nearest", inline: "center" });
    for (const name of ["quantity", "unit"]) {
      const field = document.querySelector(`input[name=${name}]`);
      if (field) field.placeholder = answer[name] ?? "";
    }
  };

  const silent = message => {
    verdict.replaceChildren(make("p", { class: "formula-note" }, message));
    delete verdict.dataset.state;
    input.removeAttribute("aria-invalid");
  };

  let asked = null;
  const check = async () => {
    asked?.abort();
    if (!house()) return silent("Choose a house first: formulas read what its devices measure.");
    if (!input.value.trim()) return silent("");
    const mine = (asked = new AbortController());
    try {
      const answer = await post(input.dataset.check, {}, AbortSignal.any([mine.signal, AbortSignal.timeout(TIMEOUT)]));
      if (mine === asked) show(answer);
    } catch (error) {
      if (mine === asked && error.name !== "AbortError") silent("No connection: the formula is looked at when you save it.");
    }
  };

  let waiting = 0;
  const checkSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(check, PAUSE);
  };

  // ---- Names to choose from

  const list = make("ul", { class: "formula-names", id: "formula-names", role: "listbox", "aria-label": "Names" });
  list.hidden = true;
  const count = make("p", { class: "formula-count", role: "status" });
  const frame = make("div", { class: "formula-frame" });
  input.before(frame);
  frame.append(input, list, count);
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", "formula-names");
  input.setAttribute("aria-haspopup", "listbox");

  let names = [];
  let offered = [];
  let chosen = -1;

  const learn = async () => {
    names = [];
    if (!house()) return;
    try {
      const answer = await fetch(`${input.dataset.names}?house=${encodeURIComponent(house())}`, { redirect: "manual" });
      if (answer.ok) names = (await answer.json()).names;
    } catch {
      // Without a connection there is nothing to choose from.
    }
  };

  const token = () => TOKEN.exec(input.value.slice(0, input.selectionStart))?.[0] ?? "";

  const matching = text => {
    const wanted = text.toLowerCase().replaceAll('"', "");
    const plain = each => each.insert.toLowerCase().replaceAll('"', "");
    const found = names.filter(each => plain(each).includes(wanted) && each.insert !== text);
    return [...found.filter(each => plain(each).startsWith(wanted)), ...found.filter(each => !plain(each).startsWith(wanted))].slice(0, MOST);
  };

  const close = () => {
    list.hidden = true;
    chosen = -1;
    input.removeAttribute("aria-activedescendant");
  };

  const choose = index => {
    list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    chosen = (index + offered.length) % offered.length;
    const option = list.children[chosen];
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  };

  const option = (each, index) => {
    const made = make("li", { role: "option", id: `formula-name-${index}`, "aria-selected": "false" });
    made.append(make("code", {}, each.insert), make("span", {}, each.detail));
    made.addEventListener("pointerdown", event => {
      event.preventDefault(); // the field keeps the focus
      take(index);
    });
    return made;
  };

  const offer = text => {
    offered = matching(text);
    if (!offered.length) return close();
    list.replaceChildren(...offered.map(option));
    list.hidden = false;
    // Above the field where there is no room under it, over the bar with the buttons.
    const room = innerHeight - input.getBoundingClientRect().bottom - BAR;
    list.classList.toggle("above", list.offsetHeight > room && input.getBoundingClientRect().top > list.offsetHeight);
    chosen = -1;
    input.removeAttribute("aria-activedescendant");
    count.textContent = `${offered.length} name${offered.length > 1 ? "s" : ""}: choose with the arrow keys and Enter.`;
  };

  const take = index => {
    const { insert } = offered[index];
    const end = input.selectionStart;
    input.setRangeText(insert, end - token().length, end, "end");
    close();
    checkSoon();
  };

  const typed = () => {
    checkSoon();
    const text = token();
    if (text) offer(text);
    else close();
  };

  const keys = {
    ArrowDown: () => choose(chosen + 1),
    ArrowUp: () => choose(chosen < 0 ? offered.length - 1 : chosen - 1),
    Enter: () => chosen >= 0 && take(chosen),
    Escape: close,
  };

  const pressed = event => {
    if (event.ctrlKey && event.key === " ") {
      event.preventDefault();
      return offer(token());
    }
    if (list.hidden || !keys[event.key]) return;
    if (event.key === "Enter" && chosen < 0) return close();
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  };

  input.addEventListener("input", typed);
  input.addEventListener("keydown", pressed);
  input.addEventListener("blur", close);

  // ---- The result as a chart

  const preview = document.querySelector("[data-preview]");
  const plot = preview?.querySelector("[data-preview-chart]");
  const remark = preview?.querySelector("[data-preview-note]");
  let figure = null;

  const plotly = () =>
    (plotly.loaded ??= new Promise((loaded, failed) => {
      const script = make("script", { src: preview.dataset.plotly });
      script.addEventListener("load", loaded);
      script.addEventListener("error", failed);
      document.head.append(script);
    }));

  const colour = name => {
    const probe = make("span", { class: `formula-ink-${name}`, hidden: "" });
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };

  const ticks = () => {
    const { tickvals, ticktext } = figure.layout.xaxis;
    const step = Math.ceil(tickvals.length / Math.max(2, Math.floor(plot.clientWidth / 64)));
    const every = [1, 2, 3, 6, 12, 24].find(each => each >= step) ?? step;
    const kept = tickvals.map((_, index) => index).filter(index => index % every === 0);
    return { tickvals: kept.map(index => tickvals[index]), ticktext: kept.map(index => ticktext[index]) };
  };

  const draw = () => {
    if (!figure || plot.hidden) return;
    const axis = { gridcolor: colour("line"), zerolinecolor: colour("soft"), automargin: true };
    const data = figure.data.map(trace => ({
      ...trace,
      line: { ...trace.line, color: colour("link"), width: 1.6, simplify: false },
      marker: { ...trace.marker, color: colour("link") },
    }));
    const layout = {
      ...figure.layout,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("soft") },
      paper_bgcolor: colour("raised"),
      plot_bgcolor: colour("raised"),
      margin: { l: 8, r: 8, t: 8, b: 8 },
      hoverlabel: { bgcolor: colour("raised"), font: { color: colour("ink") } },
      dragmode: false,
      xaxis: { ...figure.layout.xaxis, ...axis, ...ticks(), showgrid: false, fixedrange: true },
      yaxis: { ...figure.layout.yaxis, ...axis, nticks: 6, fixedrange: true },
    };
    Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
  };

  const tell = text => {
    remark.textContent = text;
    remark.hidden = !text;
  };

  const see = async button => {
    for (const each of preview.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === button));
    preview.setAttribute("aria-busy", "true");
    tell("Computing …");
    try {
      const signal = AbortSignal.timeout(TIMEOUT);
      const [answer] = await Promise.all([post(input.dataset.previewUrl, { span: button.dataset.span }, signal), plotly()]);
      figure = answer.figure;
      plot.hidden = !figure;
      tell(answer.note);
      if (figure) plot.setAttribute("aria-label", answer.summary);
      draw();
    } catch {
      tell("The preview could not be had. Check the connection and try again.");
    }
    preview.removeAttribute("aria-busy");
  };

  if (preview) {
    for (const button of preview.querySelectorAll("button")) button.addEventListener("click", () => see(button));
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => figure && !plot.hidden && draw()).observe(plot);
    input.closest("fieldset").after(preview);
    preview.hidden = false;
  }

  // ---- From the start

  document.querySelector("select[name=house]")?.addEventListener("change", () => {
    learn();
    check();
  });
  learn();
  check();
});
