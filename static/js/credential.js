// The dialog that shows a credential once: copy, download, close.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.getElementById("credential");
  if (!dialog) return;
  const text = document.getElementById("credential-text").textContent;
  const said = dialog.querySelector("[data-said]");

  // It is open already, so that it shows without this script too; as a modal it also holds the focus.
  dialog.removeAttribute("open");
  dialog.showModal();

  const select = () => getSelection().selectAllChildren(document.getElementById("credential-text"));

  dialog.querySelector("[data-copy]").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied.";
    } catch {
      // Browsers offer no clipboard over plain HTTP.
      select();
      said.textContent = "Selected: press Ctrl+C or ⌘C.";
    }
  });

  dialog.querySelector("[data-download]")?.addEventListener("click", (event) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
    link.download = event.currentTarget.dataset.download;
    link.click();
    URL.revokeObjectURL(link.href);
    said.textContent = "Downloaded.";
  });

  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  // Escape would lose it by accident.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => dialog.remove());
});
