// Code in messages: a button to copy each block, and colours while a reply is written. The finished
// text comes coloured from the server.
import { copy } from "./copy.js";

const MAX_CHARS = 5000;
let highlighter = null;
let isLoading = false;

/** HTML of `code` in colours, or "" to show it as it is. For markdown-it. */
export function highlight(code, language) {
  if (!language || code.length > MAX_CHARS) return "";
  if (!highlighter) {
    load();
    return "";
  }
  if (!highlighter.getLanguage(language)) return "";
  return highlighter.highlight(code, { language, ignoreIllegals: true }).value;
}

async function load() {
  if (isLoading) return;
  isLoading = true;
  const module = await import("../../vendor/highlight/highlight.min.js");
  highlighter = module.default;
}

/** Give each block of code below `root` a button that copies it. */
export function addCopyButtons(root, label) {
  for (const pre of root.querySelectorAll("pre:not(.code-box > pre)")) {
    const box = document.createElement("div");
    box.className = "code-box";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button-secondary button-small code-copy";
    button.textContent = label;
    button.addEventListener("click", () => copy(pre.textContent));
    pre.replaceWith(box);
    box.append(pre, button);
  }
}
