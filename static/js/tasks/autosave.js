// Nothing that was entered is lost: each change goes to the browser's storage at once and to the
// server a moment later. Without a connection it stays here and is sent when there is one again.
import { showToast } from "../toasts.js";
import * as drafts from "./drafts.js";

const PAUSE_MS = 1500;
const FIRST_RETRY_MS = 4000;
const LAST_RETRY_MS = 60_000;
const TICK_MS = 5000;

export function keepDrafts(form, status) {
  const state = { timer: 0, retryMs: FIRST_RETRY_MS, savedAt: 0, isDirty: false, isOver: false };
  const words = status.dataset;
  if (words.savedAt) state.savedAt = Date.parse(words.savedAt);

  const later = (ms) => {
    clearTimeout(state.timer);
    state.timer = setTimeout(send, ms);
  };

  const changed = () => {
    if (state.isOver) return;
    state.isDirty = true;
    drafts.store(form.dataset.task, drafts.read(form), { isSent: false });
    later(PAUSE_MS);
  };

  async function send({ isLast = false } = {}) {
    if (!state.isDirty || state.isOver) return;
    const body = drafts.read(form);
    state.isDirty = false;
    try {
      const answer = await fetch(form.dataset.draftUrl, {
        method: "POST",
        body: new FormData(form),
        headers: { Accept: "application/json" },
        redirect: "error",
        keepalive: isLast,
      });
      await take(answer, body);
    } catch {
      postpone();
    }
  }

  async function take(answer, body) {
    if (answer.ok) {
      state.savedAt = Date.now();
      state.retryMs = FIRST_RETRY_MS;
      // What was typed while this was on its way is not sent yet.
      if (!state.isDirty) drafts.store(form.dataset.task, body, { isSent: true });
      return tell();
    }
    if (answer.status >= 500 || answer.status === 429) return postpone();
    // Signed out, muted, or submitted in another tab: say so. The text stays in the browser.
    const { error } = await answer.json();
    state.isOver = answer.status !== 401;
    state.isDirty = true;
    status.textContent = error.message;
    showToast(error.message, "warning");
  }

  function postpone() {
    state.isDirty = true;
    status.textContent = words.wordsLocal;
    later(state.retryMs);
    state.retryMs = Math.min(2 * state.retryMs, LAST_RETRY_MS);
  }

  function tell() {
    if (!state.savedAt || state.isDirty || state.isOver) return;
    status.textContent = words.wordsSaved.replace("%s", age(Date.now() - state.savedAt));
  }

  restore(form, words.savedAt ? Date.parse(words.savedAt) : 0, changed);
  drafts.tidy();
  tell();
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  form.addEventListener("submit", (event) => leave(event, form, state, words));
  setInterval(tell, TICK_MS);
  addEventListener("online", () => send());
  addEventListener("pagehide", () => send({ isLast: true }));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") send({ isLast: true });
  });
}

/** Submitting needs a connection: without one the browser would replace the page by an error. */
function leave(event, form, state, words) {
  if (event.defaultPrevented) return;
  if (!navigator.onLine) {
    event.preventDefault();
    showToast(words.wordsOffline, "warning");
    return;
  }
  if (!event.submitter?.hasAttribute("formaction")) state.isDirty = false;
  clearTimeout(state.timer);
}

/** Two versions may exist: the page's and one that never reached us. Show the newer, offer both. */
function restore(form, savedAt, changed) {
  const kept = drafts.load(form.dataset.task);
  const shown = drafts.read(form);
  if (!kept || kept.isSent || !Object.keys(kept.body).length || drafts.isSame(kept.body, shown)) {
    return;
  }
  let [now, other] = [shown, kept.body];
  const swap = () => {
    [now, other] = [other, now];
    drafts.write(form, now);
    changed();
  };
  if (kept.at > savedAt) swap();
  const notice = document.querySelector("[data-restored]");
  const isEmpty = !Object.keys(shown).length;
  notice.hidden = false;
  notice.querySelector("[data-restored-other]").hidden = isEmpty;
  notice.querySelector("[data-restored-other]").addEventListener("click", swap);
}

function age(ms) {
  const lang = document.documentElement.lang;
  const format = new Intl.RelativeTimeFormat(lang, { numeric: "always", style: "short" });
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return format.format(-seconds, "second");
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), "minute");
  return format.format(-Math.round(seconds / 3600), "hour");
}
