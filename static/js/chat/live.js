// The replies that are being written: their texts so far, and how they stand on the page.
import { blocks, fragment } from "./markdown.js";
import { addCopyButtons } from "./code.js";
import { typeset } from "./formulas.js";

const replies = new Map();

/** What is known of a reply; made when first asked for. */
function replyOf(id) {
  if (!replies.has(id)) replies.set(id, { text: "", cursor: "", shown: [], target: null, isDue: false });
  return replies.get(id);
}

export function cursorOf(id) {
  return replyOf(id).cursor;
}

export function textOf(id) {
  return replyOf(id).text;
}

/** Ids of the replies that stand unfinished on the page. */
export function onPage() {
  return [...document.querySelectorAll("[data-live]")].map((element) => element.dataset.live);
}

/** Take a delta or a snapshot in. Returns what the text is now. */
export function take(frame, words) {
  const reply = replyOf(frame.reply);
  reply.text = frame.type === "snapshot" ? frame.text : reply.text + frame.text;
  reply.cursor = frame.cursor;
  draw(frame.reply, words);
  return reply.text;
}

export function forget(id) {
  replies.delete(id);
}

/** The thread was drawn anew: put the texts so far back into it. */
export function redraw(words) {
  for (const id of onPage()) if (replies.has(id)) draw(id, words);
}

/** Draw at most once a frame: tokens may come faster than a screen shows them. */
function draw(id, words) {
  const reply = replyOf(id);
  if (reply.isDue) return;
  reply.isDue = true;
  requestAnimationFrame(() => {
    reply.isDue = false;
    const target = document.querySelector(`[data-live="${CSS.escape(id)}"]`);
    if (target) update(reply, target, words);
  });
}

/** Only blocks that have changed are built anew: usually the last one. */
function update(reply, target, words) {
  if (reply.target !== target) {
    reply.target = target;
    reply.shown = [];
    target.replaceChildren();
  }
  const next = blocks(reply.text);
  let at = 0;
  while (at < next.length && next[at] === reply.shown[at]?.html) at += 1;
  for (const old of reply.shown.splice(at)) old.element.remove();
  for (const html of next.slice(at)) {
    const element = document.createElement("div");
    element.append(fragment(html));
    addCopyButtons(element, words.copy);
    target.append(element);
    typeset(element);
    reply.shown.push({ html, element });
  }
  document.dispatchEvent(new CustomEvent("chat:grown"));
}
