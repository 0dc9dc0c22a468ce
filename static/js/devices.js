"use strict";

// Keeps parts of a page up to date, and fills in the example of a form.
(() => {
  const EVERY = 5000;
  const TIMEOUT = 15000;

  const ask = async address => {
    // Where the log-in page would answer instead, nothing is shown of it.
    const answer = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT), redirect: "manual" });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.text();
  };

  const renew = async part => {
    try {
      const text = await ask(part.dataset.refresh);
      if (part.innerHTML !== text) part.innerHTML = text;
      delete part.dataset.stale;
    } catch {
      part.dataset.stale = "";
    }
  };

  const follow = async part => {
    if (!document.hidden) await renew(part);
    setTimeout(follow, part.dataset.every ?? EVERY, part);
  };

  const fill = field => {
    if (field.type === "checkbox") field.checked = field.dataset.example === "yes";
    else if (!field.value || field.tagName === "SELECT") field.value = field.dataset.example;
  };

  const start = () => {
    for (const part of document.querySelectorAll("[data-refresh]")) setTimeout(follow, part.dataset.every ?? EVERY, part);
    document.querySelector("[data-fill-example]")?.addEventListener("click", () => {
      for (const field of document.querySelectorAll("[data-example]")) if (field.dataset.example) fill(field);
    });
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
