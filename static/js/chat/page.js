// One chat on the page: joins the socket, the thread that the server draws, and what is typed.
import { showToast } from "../toasts.js";
import { addCopyButtons } from "./code.js";
import { clearPen, focusPen, showRunning, watchPen } from "./composer.js";
import "./copy.js";
import { typeset } from "./formulas.js";
import { bindKeys } from "./keys.js";
import * as live from "./live.js";
import { toEnd, watchScroll } from "./scroll.js";
import "./settings.js";
import { connect } from "./socket.js";
import { speaker } from "./speech.js";
import { endWords, showStalled, showWaiting, showWriting } from "./stage.js";

// Without a socket the page asks the server itself, as long as something is being written.
const POLL_MS = 4000;
// A short gap is nobody's business.
const OFFLINE_AFTER_MS = 1500;

const page = document.querySelector("[data-chat][data-socket]");

function start() {
  const words = page.dataset;
  const voice = speaker(page.querySelector("[data-spoken]"));
  let offlineTimer = 0;
  let isOpen = false;
  let expected = [];
  let isStale = false;

  const isRunning = () => live.onPage().length > 0;
  const watched = new Set();

  /** Let the server draw the thread anew; if somebody edits in it, once they have finished. */
  function refresh() {
    isStale = page.querySelector(".edit-form") !== null;
    if (!isStale) htmx.ajax("GET", words.url, { source: page, target: "#thread", swap: "morph" });
  }

  /** Another tab, or a program, has said something: is it on the page by now? */
  function catchUp() {
    const isShown = expected.every((id) => document.getElementById(`m-${id}`));
    expected = [];
    if (!isShown) refresh();
  }

  function watch(ids) {
    const wanted = ids.filter((id) => !watched.has(id));
    if (!wanted.length) return;
    const replies = Object.fromEntries(wanted.map((id) => [id, live.cursorOf(id)]));
    if (socket.send({ type: "watch", replies })) for (const id of wanted) watched.add(id);
  }

  const frames = {
    hello(frame) {
      // What finished, and what began, while there was no connection.
      watched.clear();
      const shown = live.onPage();
      const isSame = shown.length === frame.replies.length && shown.every((id) => frame.replies.includes(id));
      if (isSame) watch(shown);
      else refresh();
    },
    created(frame) {
      expected = frame.replies;
      // The tab that asked gets the new thread as its answer.
      if (!document.querySelector(".htmx-request")) catchUp();
    },
    queued: (frame) => showWaiting(frame, words),
    stalled: (frame) => showStalled(frame.reply, words),
    delta: grow,
    snapshot: grow,
    done(frame) {
      voice.finish(frame.reply, live.textOf(frame.reply), endWords(frame.state, words));
      live.forget(frame.reply);
      finish(frame.reply);
    },
    title(frame) {
      setTitle(words.chat, frame.title);
    },
    error(frame) {
      showToast(frame.message, "error");
    },
  };

  function grow(frame) {
    showWriting(frame.reply, words);
    voice.follow(frame.reply, live.take(frame, { copy: words.wordsCopy }));
  }

  /** The finished text comes from the server. Drafts change what can be done with the whole. */
  function finish(id) {
    const article = document.getElementById(`m-${id}`);
    if (article) refresh();
  }

  function setConnected(state) {
    isOpen = state;
    clearTimeout(offlineTimer);
    const note = document.querySelector("[data-offline-words]");
    if (state) note.hidden = true;
    else offlineTimer = setTimeout(() => (note.hidden = false), OFFLINE_AFTER_MS);
  }

  function stopAll() {
    const running = live.onPage();
    for (const id of running) socket.send({ type: "stop", reply: id }) || stopByForm(id);
    return running.length > 0;
  }

  /** After each swap: texts so far, watches for new replies, formulas, buttons. */
  function settle() {
    live.redraw({ copy: words.wordsCopy });
    watch(live.onPage());
    dress(page, words);
    showRunning(isRunning());
    document.dispatchEvent(new CustomEvent("chat:grown"));
    catchUp();
    if (isStale) refresh();
  }

  keepLiveTexts();
  const socket = connect(words.socket, {
    on: (frame) => frames[frame.type]?.(frame),
    onState: setConnected,
    onRefused: () => showToast(document.getElementById("toasts").dataset.forbidden, "warning"),
  });
  document.addEventListener("htmx:afterSettle", ({ target, detail }) => {
    if (detail.target.id === "thread") isStale = false;
    // What was aimed at may be gone by now: its place holds what came instead.
    if ([target, detail.target].some((element) => element.closest?.("[data-chat]"))) settle();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr } = event.detail;
    const successful = xhr.status >= 200 && xhr.status < 300;
    if (successful && elt.closest(".said-why")) elt.closest(".said-why").open = false;
    if (elt.id === "say" && successful) {
      clearPen();
      toEnd();
      focusPen();
    }
  });
  document.querySelector("[data-stop]").addEventListener("click", stopAll);
  bindKeys(words, stopAll);
  setInterval(() => !isOpen && navigator.onLine && isRunning() && refresh(), POLL_MS);
  dress(page, words);
  showRunning(isRunning());
  watchScroll();
}

function stopByForm(id) {
  document.querySelector(`[data-state-of="${id}"] form`)?.requestSubmit();
}

function setTitle(id, title) {
  for (const element of document.querySelectorAll(`[data-title-of="${CSS.escape(id)}"]`)) {
    element.textContent = title;
  }
  if (page?.dataset.chat === id) {
    document.title = [title, ...document.title.split(" · ").slice(-1)].join(" · ");
  }
}

function dress(root, words) {
  typeset(root);
  for (const text of root.querySelectorAll(".said-text:not([data-live])")) {
    addCopyButtons(text, words.wordsCopy);
  }
}

/** A swap must not empty what streams in. */
function keepLiveTexts() {
  const callbacks = globalThis.Idiomorph.defaults.callbacks;
  callbacks.beforeNodeMorphed = (before, after) => {
    const { live: id, text } = before.dataset || {};
    if (id) return id !== after.dataset?.live;
    // A finished text stays as it is, with its formulas and buttons.
    return !text || text !== after.dataset?.text || before.id !== after.id;
  };
  callbacks.beforeAttributeUpdated = (name, element, change) =>
    !(name === "open" && change === "remove" && element.localName === "details");
}

// Renamed, archived, or set anew in a dialog.
document.addEventListener("chat:changed", (event) => {
  const { id, title, model, preset } = event.detail;
  setTitle(id, title);
  if (page?.dataset.chat !== id) return;
  document.querySelector("[data-model-name]").textContent = model;
  document.querySelector("[data-preset-name]").textContent = preset || page.dataset.wordsOwn;
});

watchPen();
if (page) start();
