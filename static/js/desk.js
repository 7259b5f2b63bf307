// The moderators' desk by keyboard. Keys of a page's buttons stand on them (data-shortcut); here are
// those of lists, which act on the row in focus, and of forms. Every action still asks for its reason.
import { bindGlobalShortcuts, register } from "./keyboard.js";

const ANY_ROW = "ROW"; // stands in an address for the key of the row; see oasst/lib/desk/admin.py
const AUTHOR = "[class*='field-author'] a, [class*='field-user'] a, [class*='field-person'] a";

const keys = document.querySelector("[data-desk-keys]");
document.body.dataset.shortcuts = keys.dataset.shortcuts;

// Lists

const rows = () => [...document.querySelectorAll("#result_list tbody")].filter(linkOf);
const linkOf = (row) => row.querySelector("th a, td a");
const current = () => document.activeElement.closest("#result_list tbody");

function focus(row) {
  linkOf(row).focus();
  row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const every = rows();
  const index = every.indexOf(current());
  if (every.length) focus(every[index < 0 ? 0 : Math.max(0, Math.min(every.length - 1, index + by))]);
}

/** Go on with the row in focus. If none is, the first gets the focus, so that nothing happens unseen. */
function withRow(go) {
  const row = current();
  if (row) go(row);
  else step(0);
}

function keyOf(row) {
  return row.querySelector("input[name='_selected_action']").value;
}

function bindList() {
  register({ keys: "j", label: keys.dataset.wordsNext, run: () => step(1) });
  register({ keys: "n", label: "", run: () => step(1) });
  register({ keys: "k", label: keys.dataset.wordsPrevious, run: () => step(-1) });
  for (const link of keys.querySelectorAll("[data-row-key]")) {
    const go = (row) => location.assign(link.href.replace(ANY_ROW, keyOf(row)));
    register({ keys: link.dataset.rowKey, label: link.textContent, run: () => withRow(go) });
  }
  if (document.querySelector(`#result_list :is(${AUTHOR})`)) {
    const go = (row) => row.querySelector(AUTHOR)?.click();
    register({ keys: "u", label: keys.dataset.wordsAuthor, run: () => withRow(go) });
  }
}

// Forms

/** Fill in a usual decision; the note is left to write. */
function decide(form, { outcome, delete: isDeleting }) {
  form.elements.outcome.value = outcome;
  form.elements.delete.checked = isDeleting !== undefined;
  form.elements.note.focus();
}

function bindDecisions(form) {
  for (const button of form.querySelectorAll("[data-outcome]")) {
    button.addEventListener("click", () => decide(form, button.dataset));
  }
  const asked = CSS.escape(location.hash.slice(1));
  form.querySelector(`[data-decision="${asked}"]`)?.click();
}

function send() {
  const form = document.activeElement.closest(".desk-form");
  if (!form) return false;
  form.requestSubmit();
  return true;
}

bindGlobalShortcuts();
if (rows().length) bindList();
// A page that leads to the next one does so by the key of the next row, too.
const next = document.querySelector("[data-shortcut='n']");
if (next) register({ keys: "j", label: "", run: () => next.click() });
if (document.querySelector(".desk-form")) {
  register({ keys: "Ctrl+Enter", label: keys.dataset.wordsSend, run: send });
}
const decisions = document.querySelector("[data-decisions]");
if (decisions) bindDecisions(decisions);
document.querySelector("[data-ask] :is(textarea, select, input:not([type='hidden']))")?.focus();
