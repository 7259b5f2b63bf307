// Buttons that copy: a link, the text of the message they stand on, or a field's content.
import { showToast } from "../toasts.js";

const BUTTONS = "[data-copy-link], [data-copy-text], [data-copy-from]";

function contentOf(button) {
  const { copyLink, copyFrom } = button.dataset;
  if (copyLink) return new URL(copyLink, location.href).href;
  if (copyFrom) return document.getElementById(copyFrom).value;
  const message = button.closest(".message, .rank-card");
  return asTyped(message.querySelector(".message-text")).trim();
}

// What one reads, with formulas as they are typed: their signs alone would say something else.
function asTyped(text) {
  const formulas = [...text.querySelectorAll(".math[data-source]")];
  const shown = formulas.map((formula) => formula.firstChild);
  for (const formula of formulas) formula.textContent = formula.dataset.source;
  const words = text.innerText;
  formulas.forEach((formula, at) => formula.replaceChildren(shown[at]));
  return words;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest(BUTTONS);
  if (!button) return;
  const menu = button.closest("details[data-menu]");
  if (menu) menu.open = false;
  const words = document.getElementById("toasts").dataset;
  try {
    await navigator.clipboard.writeText(contentOf(button));
    showToast(button.dataset.copied || words.copied || "✓", "success");
  } catch {
    showToast(words.failed, "error");
  }
});
