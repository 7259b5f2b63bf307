// The dialog to react to, report or label a message: its form comes by htmx when asked for.
import { openDialog } from "../dialogs.js";

const dialog = document.getElementById("message-dialog");
let opener = null;

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-opens-dialog]");
  if (!link || !dialog) return;
  opener = link.closest("details[data-menu]")?.querySelector("summary") || link;
  link.closest("details[data-menu]")?.removeAttribute("open");
  dialog.querySelector("h2").textContent = link.dataset.dialogTitle;
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.closest?.("#message-dialog-body")) openDialog(dialog);
});

document.addEventListener("dialog:done", () => dialog?.close());

// The link may have been swapped for a new one meanwhile.
dialog?.addEventListener("close", () => {
  const again = document.querySelector(`a[href="${opener?.getAttribute("href")}"]`);
  (opener?.isConnected ? opener : again)?.focus();
});
