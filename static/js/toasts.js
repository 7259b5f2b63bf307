// Short messages in the corner. Their frame is role="status", so screen readers hear them too.

const LIFETIME_MS = 6000;
const UNDO_MS = 10_000;

/** Show `text`; tone is success, info, warning or error. Errors stay until they are dismissed. */
export function showToast(text, tone = "info") {
  const template =
    document.getElementById(`toast-${tone}`) || document.getElementById("toast-info");
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector("p").textContent = text;
  document.getElementById("toasts").append(toast);
  start(toast);
}

function start(toast) {
  if (toast.matches(".toast-error, .toast-warning")) return;
  const lifetime = toast.querySelector("[data-toast-undo]") ? UNDO_MS : LIFETIME_MS;
  let timer = 0;
  const wait = () => {
    timer = setTimeout(() => toast.remove(), lifetime);
  };
  // Somebody who reads or has the focus inside gets all the time they need.
  for (const name of ["pointerenter", "focusin"]) {
    toast.addEventListener(name, () => clearTimeout(timer));
  }
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, wait);
  wait();
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-toast-close]")?.closest("[data-toast]").remove();
});

document.addEventListener("toast", (event) => showToast(event.detail.text, event.detail.tone));

document.querySelectorAll("#toasts [data-toast]").forEach(start);
