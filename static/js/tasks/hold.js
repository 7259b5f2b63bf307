// Holds the task's place while somebody works on it: a sign of life goes out after activity, and
// people are warned before the reservation ends. The button extends it by hand.
import { showToast } from "../toasts.js";

const LOOK_MS = 15_000;
const BEAT_MS = 60_000;
const IDLE_MS = 120_000;
const WARN_MS = 120_000;
const ACTIVITY = ["keydown", "pointerdown", "scroll", "input"];

export function holdPlace(form) {
  const text = form.querySelector("[data-hold-text]");
  const words = form.dataset;
  const until = Date.parse(words.until) || 0;
  // A reservation that has ended is asked for again at the first sign of life.
  const state = { until, active: Date.now(), beat: until ? Date.now() : 0 };
  state.isWarned = state.isOver = false;

  const active = () => { state.active = Date.now(); };
  for (const name of ACTIVITY) addEventListener(name, active, { passive: true, capture: true });

  async function beat() {
    state.beat = Date.now();
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (!answer.headers.get("Content-Type")?.startsWith("application/json")) return false;
    const body = await answer.json();
    if (answer.ok) {
      state.until = Date.parse(body.reserved_until);
      state.isWarned = false;
      show();
      return true;
    }
    state.isOver = answer.status !== 401;
    showToast(body.error.message, "warning");
    if (state.isOver) text.textContent = words.wordsEnded;
    return false;
  }

  function show() {
    const left = state.until - Date.now();
    if (left <= 0) text.textContent = words.wordsEnded;
    else text.textContent = words.wordsHeld.replace("%s", minutes(left));
    form.classList.toggle("hold-ending", left < WARN_MS);
    if (left > 0 && left < WARN_MS && !state.isWarned) {
      state.isWarned = true;
      showToast(words.wordsEnding, "warning");
    }
  }

  function look() {
    if (state.isOver) return;
    const now = Date.now();
    const isAtWork = now - state.active < IDLE_MS;
    if (isAtWork && now - state.beat >= BEAT_MS) beat().catch(() => {});
    show();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const isHeld = await beat().catch(() => false);
    if (isHeld) showToast(text.textContent, "success");
  });
  setInterval(look, LOOK_MS);
  if (state.until) show();
}

function minutes(ms) {
  const options = { style: "unit", unit: "minute", unitDisplay: "short" };
  return new Intl.NumberFormat(document.documentElement.lang, options).format(Math.ceil(ms / 60_000));
}
