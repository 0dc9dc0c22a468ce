// Says in words what the chosen crontab means, on the page of a scheduled task.
document.addEventListener("DOMContentLoaded", () => {
  const words = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const choice = document.getElementById("id_crontab");
  const place = document.querySelector(".field-crontab_translation .readonly");
  if (!choice || !place) return;
  choice.addEventListener("change", () => {
    place.textContent = words[choice.value] ?? "";
  });
});
