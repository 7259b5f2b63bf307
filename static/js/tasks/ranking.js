// Puts replies in order: by dragging, arrows, number keys or buttons. The order is what stands in
// the number fields, which are all there is without this script.
import Sortable from "../../vendor/sortablejs/sortable.esm.js";
import { openDialog } from "../dialogs.js";
import { register } from "../keyboard.js";
import * as order from "./rank_order.js";

export const form = document.querySelector("[data-ranking]");
const list = form.querySelector("[data-rank-list]");
const cards = new Map([...list.children].map((card) => [card.dataset.rankCard, card]));
const letters = () => [...list.children].map((card) => card.dataset.rankCard);
const numberField = (letter) => cards.get(letter).querySelector("input[type='number']");
let groups = initial();
let isTouched = Boolean(stored());

function stored() {
  return order.fromNumbers(letters().map((letter) => [letter, Number(numberField(letter).value)]));
}

/** As a draft left it, else as drawn with identical replies on one place. */
function initial() {
  return stored() || units();
}

/** The replies as drawn, those with the same text together. */
export function units() {
  const drawn = [];
  for (const [letter, card] of cards) {
    if (card.hasAttribute("data-same")) drawn.at(-1).push(letter);
    else drawn.push([letter]);
  }
  return drawn;
}

export const isOrdered = () => isTouched;
export const nameOf = (letter) => cards.get(letter).getAttribute("aria-label");
export const textOf = (letter) => cards.get(letter).querySelector(".message-text");

/** Take over an order that was found elsewhere, say so, and go to its beginning. */
export function adopt(order, words) {
  set(order);
  markLong();
  form.querySelector("[data-rank-status]").textContent = words;
  form.querySelector("[data-rank-found]").hidden = false;
  list.firstElementChild.focus();
}

function set(next, letter) {
  isTouched = true;
  groups = next;
  const focused = document.activeElement;
  draw();
  if (list.contains(focused)) focused.focus();
  form.dispatchEvent(new Event("input", { bubbles: true }));
  if (letter) announce(letter);
}

function draw() {
  list.append(...groups.flat().map((letter) => cards.get(letter)));
  groups.forEach((group, place) => group.forEach((letter) => drawCard(letter, place, group)));
}

function drawCard(letter, place, group) {
  const card = cards.get(letter);
  card.querySelector("[data-rank-place]").textContent = place + 1;
  card.classList.toggle("rank-tied", order.isTiedUp(groups, letter));
  const [up, down] = card.querySelectorAll("[data-rank-move]");
  up.disabled = place === 0 && group.length === 1;
  down.disabled = place === groups.length - 1 && group.length === 1;
  const tie = card.querySelector("[data-rank-tie]");
  tie.setAttribute("aria-pressed", String(order.isTiedUp(groups, letter)));
  tie.disabled = place === 0 && !order.isTiedUp(groups, letter);
  if (isTouched) numberField(letter).value = place + 1;
}

function announce(letter) {
  const status = form.querySelector("[data-rank-status]");
  const place = order.placeOf(groups, letter);
  const words = groups[place].length > 1 ? status.dataset.wordsTied : status.dataset.wordsMoved;
  const name = cards.get(letter).getAttribute("aria-label");
  status.textContent = words.replace("%(letter)s", name).replace("%(place)s", place + 1);
}

function onClick(event) {
  const card = event.target.closest("[data-rank-card]");
  const letter = card?.dataset.rankCard;
  const mover = event.target.closest("[data-rank-move]");
  if (mover) set(order.move(groups, letter, Number(mover.dataset.rankMove)), letter);
  if (event.target.closest("[data-rank-tie]")) set(order.toggleTie(groups, letter), letter);
  if (event.target.closest("[data-rank-expand]")) expand(card, !card.classList.contains("is-expanded"));
}

function onKey(event) {
  const card = event.target.closest("[data-rank-card]");
  if (!card || event.target.matches("input, textarea") || event.ctrlKey || event.metaKey) return;
  const letter = card.dataset.rankCard;
  const step = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.altKey && step) set(order.move(groups, letter, step), letter);
  else if (event.altKey) return;
  else if (step) (step < 0 ? card.previousElementSibling : card.nextElementSibling)?.focus();
  else if (/^[1-9]$/.test(event.key)) set(order.put(groups, letter, Number(event.key) - 1), letter);
  else if (event.key === "=") set(order.toggleTie(groups, letter), letter);
  else return;
  event.preventDefault();
}

function expand(card, isOpen) {
  card.classList.toggle("is-expanded", isOpen);
  card.querySelector("[data-rank-expand]").setAttribute("aria-expanded", String(isOpen));
}

function markLong() {
  for (const card of cards.values()) {
    const text = card.querySelector("[data-rank-text]");
    const isLong = card.classList.contains("is-expanded") || text.scrollHeight > text.clientHeight + 4;
    card.classList.toggle("is-long", isLong);
  }
}

function toggleButton(selector, apply) {
  const button = form.querySelector(selector);
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    apply(isOn);
    markLong();
  });
}

function verdict() {
  return form.querySelector("input[name='verdict']:checked")?.value || "";
}

function onSubmit(event) {
  if (event.submitter?.hasAttribute("formaction") || isTouched || verdict()) return;
  event.preventDefault();
  openDialog(document.getElementById("untouched-dialog"));
}

document.querySelector("[data-confirm-untouched]").addEventListener("click", () => {
  set(groups);
  form.requestSubmit();
});

register({
  keys: "x",
  label: form.dataset.wordsAllBad,
  run: () => form.querySelector("input[name='verdict'][value='all_bad']").click(),
});

/** Rows for the list of shortcuts while the list of cards shows; `onKey` handles the keys. */
function describeKeys() {
  const { wordsKeyStep, wordsKeyPlace, wordsKeyMove, wordsKeyTie } = list.dataset;
  const row = { element: list, run: () => false };
  register({ ...row, keys: "ArrowDown ArrowUp", label: wordsKeyStep });
  register({ ...row, keys: "1 … 9", label: wordsKeyPlace });
  register({ ...row, keys: "Alt+ArrowUp ArrowDown", label: wordsKeyMove });
  register({ ...row, keys: "=", label: wordsKeyTie });
}

describeKeys();

/** The short prompt above the replies shows once the prompt itself is out of sight. */
function watchPrompt() {
  const prompt = document.querySelector("[data-rank-prompt]");
  const whole = document.querySelector(".focus-thread .message-highlight");
  if (!prompt || !whole) return;
  prompt.classList.add("is-watched");
  const watch = ([entry]) => prompt.classList.toggle("is-away", !entry.isIntersecting);
  new IntersectionObserver(watch, { rootMargin: "-64px 0px 0px" }).observe(whole);
}

list.addEventListener("click", onClick);
list.addEventListener("keydown", onKey);
form.addEventListener("submit", onSubmit);
form.addEventListener("draft:written", () => {
  isTouched = Boolean(stored());
  groups = stored() || groups;
  draw();
});
toggleButton("[data-expand-all]", (isOn) => cards.forEach((card) => expand(card, isOn)));
toggleButton("[data-side-by-side]", (isOn) => document.body.classList.toggle("rank-columns", isOn));
Sortable.create(list, {
  handle: "[data-rank-handle]",
  // The same code for mouse and touch, instead of the browser's own dragging for one of them.
  forceFallback: true,
  fallbackTolerance: 3,
  animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120,
  onEnd: ({ item }) => {
    const letter = item.dataset.rankCard;
    set(order.dropped(groups, letters(), letter), letter);
  },
});
form.classList.add("is-ready");
watchPrompt();
draw();
markLong();
addEventListener("resize", markLong);
