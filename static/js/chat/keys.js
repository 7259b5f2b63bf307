// Keys of the conversation: Esc stops, [ and ] go through versions, ↑ in the empty field edits.
import { register } from "../keyboard.js";
import { isPenEmpty } from "./composer.js";

/** The message that holds the focus, else the last one that has what `selector` finds. */
function find(selector) {
  const here = document.activeElement?.closest(".said")?.querySelector(selector);
  return here || [...document.querySelectorAll(`#thread ${selector}`)].at(-1);
}

function press(selector) {
  const button = find(selector);
  if (!button) return false;
  button.click();
  return true;
}

export function bindKeys(words, stop) {
  register({ keys: "[", label: words.wordsEarlier, run: () => press('[data-act="earlier"]') });
  register({ keys: "]", label: words.wordsLater, run: () => press('[data-act="later"]') });
  register({ keys: "Escape", label: words.wordsStop, run: stop });
  const field = document.getElementById("say_text");
  register({
    keys: "ArrowUp",
    label: words.wordsEdit,
    run: () =>
      document.activeElement === field && isPenEmpty() && press('.said-prompter [data-act="edit"]'),
  });
}
