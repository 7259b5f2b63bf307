// Keys for scales: 1–5 choose while the focus is on a scale, Backspace takes the answer back,
// and ↓ ↑ move between scales. Arrows left and right are the browser's own.

import { register } from "./keyboard.js";

const GROUP = "[data-likert]";

function radiosOf(group) {
  return [...group.querySelectorAll("input[type='radio']:not(:disabled)")];
}

function choose(radio) {
  radio.checked = true;
  radio.focus();
  radio.dispatchEvent(new Event("input", { bubbles: true }));
  radio.dispatchEvent(new Event("change", { bubbles: true }));
}

function clear(group) {
  const radios = radiosOf(group);
  const empty = radios.find((radio) => radio.value === "");
  if (empty) return choose(empty);
  for (const radio of radios) radio.checked = false;
  radios[0]?.dispatchEvent(new Event("change", { bubbles: true }));
}

function focusNeighbour(group, step) {
  const groups = [...document.querySelectorAll(GROUP)].filter((each) => each.checkVisibility());
  const next = groups[groups.indexOf(group) + step];
  if (!next) return false;
  const radios = radiosOf(next);
  (radios.find((radio) => radio.checked) || radios[0])?.focus();
  return true;
}

document.addEventListener(
  "keydown",
  (event) => {
    const group = event.target.closest?.(GROUP);
    if (!group || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-9]$/.test(event.key)) {
      const radio = radiosOf(group).filter((each) => each.value !== "")[Number(event.key) - 1];
      if (!radio) return;
      choose(radio);
    } else if (event.key === "Backspace" || event.key === "0") {
      clear(group);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      focusNeighbour(group, event.key === "ArrowDown" ? 1 : -1);
    } else {
      return;
    }
    event.preventDefault();
  },
  { capture: true },
);

/** Rows for the list of shortcuts; the keys themselves are handled above. */
function describeKeys() {
  const labels = document.querySelector("[data-shortcut-list]")?.dataset;
  if (!labels || !document.querySelector(GROUP)) return;
  const run = () => false;
  register({ keys: "1 … 5", label: labels.answerLabel, run });
  register({ keys: "Backspace", label: labels.clearLabel, run });
  register({ keys: "ArrowDown ArrowUp", label: labels.stepLabel, run });
}

describeKeys();
