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

  // A moment is two fields under one name.
  for (const label of document.querySelectorAll(".form-row label:not([for])")) {
    const inputs = label.parentElement.parentElement.querySelectorAll("input[type=text][placeholder]");
    const words = [...label.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data.trim()).join("");
    if (!inputs.length) continue;
    label.htmlFor = inputs[0].id;
    for (const input of inputs) input.setAttribute("aria-label", `${words}: ${input.placeholder}`);
  }

  // A menu of actions is opened by a link that leads nowhere, which no keyboard comes to.
  for (const opener of document.querySelectorAll("li[x-ref^=actionDropdown] > a:not([href])")) {
    const menu = () => [...document.querySelectorAll("body > nav[x-show=actionDropdownOpen]")].find(one => one.checkVisibility());
    const told = () => opener.setAttribute("aria-expanded", String(Boolean(menu())));
    opener.role = "button";
    opener.tabIndex = 0;
    told();
    opener.addEventListener("click", () => setTimeout(told));
    opener.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      opener.click();
      setTimeout(() => menu()?.querySelector("a").focus());
    });
    document.addEventListener("keydown", event => {
      if (event.key !== "Escape" || !menu()) return;
      opener.click();
      opener.focus();
    });
  }
});
