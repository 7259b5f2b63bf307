// The one place that listens for shortcuts. Single letters and sequences ("g d") never fire while
// somebody writes, and data-shortcuts="off" on <body> turns them off (WCAG 2.1.4).
import { openDialog } from "./dialogs.js";

const SEQUENCE_MS = 1200;
const FIELDS = "input, select, textarea, [contenteditable], [role='textbox']";
// Controls that hold no text: letters may pass, but Enter, Space and arrows belong to them.
const NOT_TEXT = "input[type='radio'], input[type='checkbox'], input[type='range']";

const GLYPHS = { ArrowUp: "↑", ArrowDown: "↓", Enter: "↵", Backspace: "⌫" };

const shortcuts = [];
let pending = { key: "", until: 0 };

/** Add a shortcut. `keys` is a letter, "g d", or "Ctrl+Enter"; `label` is shown by `?`.
 *  `run` may return false to let the key through. Returns a function that removes it. */
export function register({ keys, label, run, element = null }) {
  const shortcut = { keys, label, run, element };
  shortcuts.push(shortcut);
  return () => shortcuts.splice(shortcuts.indexOf(shortcut), 1);
}

export function areLettersOn() {
  return document.body.dataset.shortcuts !== "off";
}

function isWriting(target) {
  return target instanceof Element && target.matches(FIELDS) && !target.matches(NOT_TEXT);
}

function nameOf(event) {
  const isMain = event.ctrlKey || event.metaKey;
  if (event.key === "Enter" && isMain) return "Ctrl+Enter";
  if (isMain) return "";
  if (event.altKey) return event.key.startsWith("Arrow") ? `Alt+${event.key}` : "";
  return event.key;
}

function find(keys) {
  return shortcuts.findLast((each) => each.keys === keys && isUsable(each.element));
}

function isUsable(element) {
  if (!element) return true;
  return element.isConnected && !element.disabled && element.checkVisibility();
}

/** What the key means now, taking into account a letter that was pressed just before. */
function resolve(name, now) {
  const sequence = now < pending.until ? find(`${pending.key} ${name}`) : undefined;
  pending = { key: "", until: 0 };
  if (sequence) return sequence;
  if (shortcuts.some((each) => each.keys.startsWith(`${name} `))) {
    pending = { key: name, until: now + SEQUENCE_MS };
  }
  return find(name);
}

function onKeydown(event) {
  const name = nameOf(event);
  if (!name || event.defaultPrevented || event.isComposing) return;
  const isSingle = name.length === 1;
  if (isSingle && (isWriting(event.target) || !areLettersOn())) return;
  // A modal dialog owns the keyboard.
  if (document.querySelector("dialog:modal")) return;
  const shortcut = resolve(name, event.timeStamp);
  if (shortcut && shortcut.run(event) !== false) event.preventDefault();
}

/** Press what carries data-shortcut: a field gets the focus, anything else a click. */
function press(element) {
  if (element.matches(FIELDS) && !element.matches(NOT_TEXT)) element.focus();
  else element.click();
}

function bindElements(root) {
  // What a swap took away takes its keys along.
  const gone = shortcuts.filter((each) => each.element && !each.element.isConnected);
  for (const each of gone) shortcuts.splice(shortcuts.indexOf(each), 1);
  for (const element of root.querySelectorAll("[data-shortcut]:not([data-shortcut-bound])")) {
    element.dataset.shortcutBound = "";
    const keys = element.dataset.shortcut;
    const label = element.dataset.shortcutLabel || labelOf(element);
    register({ keys, label, element, run: () => press(element) });
  }
}

function labelOf(element) {
  const span = element.querySelector(":scope > span");
  return (element.getAttribute("aria-label") || (span || element).textContent).trim();
}

function listShortcuts() {
  const list = document.querySelector("[data-shortcut-list]");
  if (!list) return false;
  const usable = shortcuts.filter((each) => each.label && isUsable(each.element));
  list.replaceChildren(...usable.flatMap(describe));
  openDialog(list.closest("dialog"));
  return true;
}

function describe({ keys, label }) {
  const term = document.createElement("dt");
  for (const key of keys.split(/[ +]/)) {
    const kbd = document.createElement("kbd");
    kbd.textContent = GLYPHS[key] || key;
    term.append(kbd);
  }
  const meaning = document.createElement("dd");
  meaning.textContent = label;
  return [term, meaning];
}

/** Listen; take over [data-shortcut] now and after htmx swaps. */
export function bindGlobalShortcuts() {
  document.addEventListener("keydown", onKeydown);
  document.addEventListener("htmx:load", (event) =>
    bindElements(event.target.parentElement || document),
  );
  document.addEventListener("shortcuts:show", listShortcuts);
  bindElements(document);
  const list = document.querySelector("[data-shortcut-list]");
  register({ keys: "?", label: list?.dataset.selfLabel || "", run: listShortcuts });
}
