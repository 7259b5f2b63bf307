// Asks about two replies at a time until their order is known, then shows the ordinary list. This
// is how narrow screens begin; a button changes between the two anywhere.
import { adopt, form, isOrdered, nameOf, textOf, units } from "./ranking.js";
import { replay } from "./rank_pairs.js";

const NARROW = matchMedia("(max-width: 47.99rem)");
const AS_LIST = "ranking-as-list";
const KEPT = `pairs:${form.dataset.task}`;

const panel = form.querySelector("[data-pairs]");
const toggle = form.querySelector("[data-pairs-toggle]");
const slots = [...panel.querySelectorAll("[data-pair-slot]")];
const step = panel.querySelector("[data-pair-step]");
let answers = kept();

/** Storage may be forbidden; then a reload begins anew. */
function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}

function kept() {
  return attempt(() => JSON.parse(sessionStorage.getItem(KEPT))) || [];
}

function keep() {
  attempt(() => sessionStorage.setItem(KEPT, JSON.stringify(answers)));
}

/** The pair to ask about. Places change from question to question, so that none has an advantage. */
function question() {
  const { pair } = replay(units(), answers);
  return pair && answers.length % 2 ? [pair[1], pair[0]] : pair;
}

function draw() {
  const { left } = replay(units(), answers);
  for (const [place, id] of question().entries()) {
    const name = nameOf(id);
    slots[place].querySelector("h3").textContent = name;
    slots[place].querySelector(".rank-text").replaceChildren(textOf(id).cloneNode(true));
    const button = panel.querySelector(`[data-pair-answer="${place}"] span`);
    button.textContent = panel.dataset.wordsBetter.replace("%s", name);
  }
  const number = answers.length + 1;
  step.textContent = panel.dataset.wordsStep
    .replace("%(number)s", number)
    .replace("%(most)s", answers.length + left);
  panel.querySelector("[data-pair-back]").disabled = !answers.length;
}

function answer(given) {
  const pair = question();
  answers.push(pair[given] ?? given);
  next();
}

function back() {
  answers.pop();
  next();
}

function next() {
  keep();
  const { order, pair } = replay(units(), answers);
  if (pair) {
    draw();
    slots[0].scrollIntoView({ block: "nearest" });
    return;
  }
  show(false);
  adopt(order, panel.dataset.wordsDone);
}

/** Question by question, or the list. */
function show(inPairs) {
  panel.hidden = !inPairs;
  form.classList.toggle("in-pairs", inPairs);
  toggle.setAttribute("aria-pressed", String(inPairs));
  if (!inPairs) return;
  if (!question()) answers = [];
  draw();
}

panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.pairAnswer) answer(button.dataset.pairAnswer);
  else if (button?.matches("[data-pair-back]")) back();
  else if (button?.matches("[data-pair-differences]")) showDifferences();
});

function showDifferences() {
  const link = form.querySelector("[data-differences]");
  const [a, b] = question();
  const dialog = document.getElementById("message-dialog");
  dialog.querySelector("h2").textContent = link.dataset.dialogTitle;
  htmx.ajax("GET", `${link.getAttribute("href")}?${new URLSearchParams({ a, b })}`, "#message-dialog-body");
}

toggle.addEventListener("click", () => {
  const inPairs = panel.hidden;
  attempt(() => (inPairs ? localStorage.removeItem(AS_LIST) : localStorage.setItem(AS_LIST, "1")));
  show(inPairs);
  (inPairs ? panel.querySelector("[data-pair-answer]") : toggle).focus();
});

toggle.hidden = units().length < 2;
const wantsList = attempt(() => localStorage.getItem(AS_LIST));
if (NARROW.matches && !toggle.hidden && !wantsList && !isOrdered()) show(true);
