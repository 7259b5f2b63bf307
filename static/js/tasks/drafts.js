// What the browser itself remembers of a form that was not submitted yet.

const PREFIX = "draft:";
const KEPT_MS = 3 * 24 * 3600 * 1000;

/** The fields of a form as plain values; what is empty or not chosen is absent. */
export function read(form) {
  const entries = [...new FormData(form)].filter(([name, value]) =>
    name !== "csrfmiddlewaretoken" && typeof value === "string" && value !== "");
  return Object.fromEntries(entries);
}

/** Fill a form with what `read` gave. */
export function write(form, body) {
  for (const field of form.elements) {
    if (!field.name || field.name === "csrfmiddlewaretoken") continue;
    const value = body[field.name] ?? "";
    if (field.type === "radio" || field.type === "checkbox") field.checked = field.value === value;
    else field.value = value;
  }
  form.dispatchEvent(new CustomEvent("draft:written", { bubbles: true }));
}

export function isSame(one, other) {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  const clean = (text) => (text ?? "").replaceAll("\r\n", "\n");
  return [...keys].every((key) => clean(one[key]) === clean(other[key]));
}

/** Storage may be full or forbidden; then the server's copy is all there is. */
function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}

export function load(task) {
  return attempt(() => JSON.parse(localStorage.getItem(PREFIX + task)));
}

export function store(task, body, { isSent }) {
  const entry = JSON.stringify({ body, at: Date.now(), isSent });
  attempt(() => localStorage.setItem(PREFIX + task, entry));
}

/** Forget what can no longer be submitted. */
export function tidy() {
  attempt(() => {
    for (const key of Object.keys(localStorage).filter((each) => each.startsWith(PREFIX))) {
      const entry = attempt(() => JSON.parse(localStorage.getItem(key)));
      if (!entry || Date.now() - entry.at > KEPT_MS) localStorage.removeItem(key);
    }
  });
}
