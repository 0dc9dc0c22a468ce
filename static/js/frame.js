"use strict";

// Names for what Unfold leaves without one, for those who hear the page. Runs before its own scripts do.
document.addEventListener("DOMContentLoaded", () => {
  const name = (selector, words) => {
    for (const part of document.querySelectorAll(selector)) part.dataset.simplebarAriaLabel = words;
  };
  name("#nav-sidebar-apps", "Pages");
  name("[data-simplebar]:has(#result_list)", "List");
  for (const part of document.querySelectorAll(".formset-wrapper[data-simplebar]")) {
    const heading = part.closest("fieldset")?.getAttribute("aria-labelledby");
    part.dataset.simplebarAriaLabel = `Rows of ${document.getElementById(heading)?.textContent.trim() ?? "this form"}`;
  }

  // The column of the buttons that remove a row.
  for (const head of document.querySelectorAll(".formset-wrapper thead th")) {
    if (head.textContent.trim()) continue;
    const words = document.createElement("span");
    words.className = "only-heard";
    words.textContent = "Remove";
    head.replaceChildren(words);
  }
});
