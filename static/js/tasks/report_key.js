// `r` reports the message in focus, else the one that the page is about.
import { register } from "../keyboard.js";

const MESSAGE = ".message, .rank-card";

function reportLink() {
  const focused = document.activeElement.closest?.(MESSAGE);
  const message = focused
    || document.querySelector(".message-highlight")
    || document.querySelector("[data-tree] .message");
  return message?.querySelector("[data-report]");
}

function report() {
  const link = reportLink();
  if (!link) return false;
  link.click();
  return true;
}

const label = document.querySelector("[data-report]")?.dataset.dialogTitle;
if (label) register({ keys: "r", label, run: report });
