// Counts how a text is entered: characters that were pasted or dropped, and seconds on the page. It
// is a hint for reviewers that decides nothing. The hidden fields go along with the draft.
const LONGEST_PAUSE_MS = 120_000;

/** Count for the form that a text field stands in. */
export function countEntering(field) {
  const { pasted, seconds } = field.form.elements;
  const add = (counter, more) => { counter.value = Number(counter.value || 0) + more; };
  let last = Date.now();
  let passed = 0;
  let own = "";

  // Who goes away and comes back was not at it meanwhile.
  const tick = () => {
    const now = Date.now();
    passed += Math.min(now - last, LONGEST_PAUSE_MS);
    last = now;
    add(seconds, Math.floor(passed / 1000));
    passed %= 1000;
  };
  // What is moved within the field was there before.
  const remember = () => { own = field.value.slice(field.selectionStart, field.selectionEnd); };
  const take = (data) => {
    const text = data?.getData("text/plain") ?? "";
    if (text && text !== own) add(pasted, [...text].length);
  };

  for (const name of ["copy", "cut", "dragstart"]) field.addEventListener(name, remember);
  field.addEventListener("paste", (event) => take(event.clipboardData));
  field.addEventListener("drop", (event) => take(event.dataTransfer));
  field.addEventListener("input", tick);
  field.form.addEventListener("submit", () => {
    tick();
    add(pasted, 0);
  });
}
