// Counts characters as the server does: code points, without white space at the ends.
import { countEntering } from "./entering.js";

const field = document.querySelector("textarea[data-limit]");
const counter = document.getElementById("text-counter");
const NEAR = 0.8;

function count() {
  const length = [...field.value.trim()].length;
  const limit = Number(field.dataset.limit);
  const left = limit - length;
  const words = left < 0 ? counter.dataset.wordsOver : counter.dataset.wordsLeft;
  const format = new Intl.NumberFormat(document.documentElement.lang);
  counter.textContent = words.replace("%s", format.format(Math.abs(left)));
  counter.classList.toggle("counter-near", length > NEAR * limit && left >= 0);
  counter.classList.toggle("counter-over", left < 0);
  field.setAttribute("aria-invalid", String(left < 0));
}

function showRendered() {
  count();
  htmx.trigger(field, "preview");
}

if (field) {
  if (field.form.elements.seconds) countEntering(field);
  field.addEventListener("input", count);
  field.form.addEventListener("draft:written", showRendered);
  // The preview can wait for a connection; whether the text is safe stands beside it.
  field.addEventListener("htmx:beforeRequest", (event) => {
    if (!navigator.onLine) event.preventDefault();
  });
  field.addEventListener("htmx:sendError", (event) => event.stopPropagation());
  count();
  // On a phone the focus would scroll the conversation away before it is read.
  if (matchMedia("(min-width: 62rem)").matches) {
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}
