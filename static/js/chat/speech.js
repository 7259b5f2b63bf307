// What screen readers hear of a reply: sentence by sentence, and when it is complete.

const SENTENCE = /[^.!?。！？\n]*[.!?。！？\n]+(?:\s+|$)/gu;
const KEPT = 20;

/** Speak through `region`, an element with role="log". */
export function speaker(region) {
  const said = new Map();

  function say(text) {
    const line = document.createElement("p");
    line.textContent = text;
    region.append(line);
    while (region.childElementCount > KEPT) region.firstElementChild.remove();
  }

  return {
    say,
    /** Say the sentences of `text` that are complete and were not said yet. */
    follow(id, text) {
      const from = Math.min(said.get(id) ?? 0, text.length);
      const whole = text.slice(from).match(SENTENCE)?.join("") ?? "";
      // A code block says nothing when it is read out half.
      if (!whole || (text.slice(0, from + whole.length).split("```").length - 1) % 2) return;
      said.set(id, from + whole.length);
      say(plain(whole));
    },
    /** Say what is left of `text`, then `words`. */
    finish(id, text, words) {
      const rest = plain(text.slice(said.get(id) ?? 0));
      said.delete(id);
      say(rest ? `${rest} ${words}` : words);
    },
  };
}

function plain(text) {
  return text.replace(/```[^\n]*|[*_#`>|]+/g, "").replace(/\s+/g, " ").trim();
}
