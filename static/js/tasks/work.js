// What every task page does: keep what is entered, hold the place, dialogs, copying, reporting.
import { keepDrafts } from "./autosave.js";
import "./copy.js";
import { holdPlace } from "./hold.js";
import "./message_dialog.js";
import "./report_key.js";

const form = document.getElementById("task-form");
if (form) keepDrafts(form, document.querySelector("[data-draft-status]"));

const hold = document.querySelector("[data-hold]");
if (hold) holdPlace(hold);

// Where the conversation scrolls by itself, begin at the message the task is about.
const thread = document.querySelector(".focus-thread");
const target = thread?.querySelector(".message-highlight");
if (target && thread.scrollHeight > thread.clientHeight) {
  const top = target.offsetTop - thread.offsetTop;
  const end = top + target.offsetHeight - thread.clientHeight;
  thread.scrollTop = Math.min(top, end + 24);
}
