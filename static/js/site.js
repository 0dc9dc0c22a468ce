"use strict";

// Loaded before the page paints, so that a remembered theme never flashes the other one first.
(() => {
  const KEY = "wattdesk-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const systemTheme = () => (system.matches ? "dark" : "light");
  const shown = () => root.dataset.theme || systemTheme();
  const announce = () => document.dispatchEvent(new CustomEvent("themechange"));

  const remember = theme => {
    // A choice equal to the system's is no choice: the page follows the system again.
    try {
      if (theme === systemTheme()) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be switched off; the choice then lasts for this page.
    }
  };

  const toggle = () => {
    root.dataset.theme = shown() === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
    announce();
  };

  try {
    const stored = localStorage.getItem(KEY);
    if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  } catch {
    // As above.
  }
  system.addEventListener("change", announce);

  const closeMenus = except =>
    document.querySelectorAll("details.menu[open]").forEach(menu => {
      if (menu !== except) menu.open = false;
    });

  document.addEventListener("click", event => {
    if (event.target.closest("[data-theme-toggle]")) toggle();
    closeMenus(event.target.closest("details.menu"));
  });
  document.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details.menu[open]");
    closeMenus(null);
    menu?.querySelector("summary").focus();
  });
  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll("[data-theme-toggle]").forEach(button => (button.hidden = false)),
  );
})();
