// The pen: Enter sends, Shift+Enter begins a line, what is written survives a reload.

const form = document.querySelector("[data-composer]");
const field = form?.querySelector("textarea");
const storageKey = `chat-draft:${form?.dataset.chat}`;

function keep() {
  try {
    if (field.value) localStorage.setItem(storageKey, field.value);
    else localStorage.removeItem(storageKey);
  } catch {
    // Private windows may refuse: then the field alone keeps the text.
  }
}

function restore() {
  try {
    field.value ||= localStorage.getItem(storageKey) ?? "";
  } catch {
    // As above.
  }
}

export function focusPen() {
  field?.focus();
}

export function isPenEmpty() {
  return !field || field.value === "";
}

/** The text was sent: the field is free for the next one. */
export function clearPen() {
  field.value = "";
  keep();
}

/** Send or stop: one of the two makes sense. */
export function showRunning(isRunning) {
  form.querySelector("[data-send]").hidden = isRunning;
  const stop = form.querySelector("[data-stop]");
  if (stop) stop.hidden = !isRunning;
}

function onKey(event) {
  if (event.key !== "Enter" || event.isComposing || event.altKey) return;
  // A phone's keyboard has no Shift+Enter: there, Enter begins a line and the button sends.
  const isTouch = matchMedia("(pointer: coarse)").matches;
  if (event.shiftKey || (isTouch && !event.ctrlKey && !event.metaKey)) return;
  event.preventDefault();
  if (field.value.trim() && !form.querySelector("[data-send]").hidden) form.requestSubmit();
}

export function watchPen() {
  if (!form) return;
  restore();
  field.addEventListener("input", keep);
  field.addEventListener("keydown", onKey);
  // A new chat is a plain form: once it is sent, the text belongs to the chat.
  if (!form.hasAttribute("hx-post")) {
    form.addEventListener("submit", () => localStorage.removeItem(storageKey));
  }
}
