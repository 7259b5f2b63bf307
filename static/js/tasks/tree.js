// A tree by keyboard: j and k go from message to message; replies fold.
import { register } from "../keyboard.js";

const tree = document.querySelector("[data-tree]");
const messages = () => [...tree.querySelectorAll(".message")].filter((each) => each.checkVisibility());

function focus(message) {
  if (!message) return;
  message.tabIndex = -1;
  message.focus({ preventScroll: true });
  message.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const every = messages();
  const current = document.activeElement.closest?.(".message") || tree.querySelector(".message-highlight");
  const index = every.indexOf(current);
  focus(index < 0 ? every[0] : every[Math.max(0, Math.min(every.length - 1, index + by))]);
}

register({ keys: "j", label: tree.dataset.wordsNext, run: () => step(1) });
register({ keys: "k", label: tree.dataset.wordsPrevious, run: () => step(-1) });

const fold = document.querySelector("[data-collapse-all]");
fold?.addEventListener("click", () => {
  const isFolded = fold.getAttribute("aria-pressed") !== "true";
  fold.setAttribute("aria-pressed", String(isFolded));
  for (const details of tree.querySelectorAll("li > details")) details.open = !isFolded;
});

const target = tree.querySelector(".message-highlight");
const isBelow = target && target.getBoundingClientRect().bottom > innerHeight;
if (isBelow && !location.hash) target.scrollIntoView({ block: "center" });
