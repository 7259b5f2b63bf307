// A shared chat: formulas are typeset, code can be copied.
import { addCopyButtons } from "./code.js";
import { typeset } from "./formulas.js";

const thread = document.querySelector(".chat-thread");
typeset(thread);
addCopyButtons(thread, thread.dataset.wordsCopy);
