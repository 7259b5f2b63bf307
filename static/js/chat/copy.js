// Puts a text on the clipboard and says so.
import { showToast } from "../toasts.js";

export async function copy(text) {
  const page = document.querySelector("[data-words-copied]");
  try {
    await navigator.clipboard.writeText(text);
    showToast(page?.dataset.wordsCopied || "✓", "success");
  } catch {
    showToast(document.getElementById("toasts").dataset.failed, "error");
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
});
