// A new house is most often where the person adding it is: their zone is chosen, for them to change.
document.addEventListener("DOMContentLoaded", () => {
  const choice = document.querySelector("select[data-choose-own-zone]");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!choice || ![...choice.options].some((option) => option.value === zone)) return;
  choice.value = zone;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
});

// Select2 gives its search field no name, and its box no link to the list it opens.
document.addEventListener("DOMContentLoaded", () => {
  window.django?.jQuery?.(document).on("select2:open", ({ target }) => {
    const box = target.nextElementSibling.querySelector("[role=combobox]");
    box.setAttribute("aria-controls", box.getAttribute("aria-owns"));
    const search = document.querySelector(".select2-container--open .select2-search__field");
    search.setAttribute("aria-label", `Search: ${target.labels[0]?.textContent.trim() ?? ""}`);
    search.focus();
  });
});
