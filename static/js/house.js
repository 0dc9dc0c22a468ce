// A new house is most often where the person adding it is: their zone is chosen, for them to change.
document.addEventListener("DOMContentLoaded", () => {
  const choice = document.querySelector("select[data-choose-own-zone]");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!choice || ![...choice.options].some((option) => option.value === zone)) return;
  choice.value = zone;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
});
