// How far an unfinished reply is, in words and with an icon: it waits, is being written, or neither.

function show(id, stage, text) {
  const state = document.querySelector(`[data-state-of="${CSS.escape(id)}"]`);
  if (!state) return;
  const element = state.querySelector("[data-state-words]");
  if (state.dataset.stage !== stage) state.dataset.stage = stage;
  if (element.textContent !== text) element.textContent = text;
}

export function showWriting(id, words) {
  show(id, "writing", words.wordsWriting);
}

/** The worker that writes it is not heard of: another one will begin again. */
export function showStalled(id, words) {
  show(id, "trouble", words.wordsStalled);
}

/** Show its place in the queue, from a frame. */
export function showWaiting(frame, words) {
  if (frame.has_worker) show(frame.reply, "waiting", placeWords(frame, words));
  else show(frame.reply, "trouble", words.wordsNoWorker);
}

function placeWords(frame, words) {
  const place = words.wordsWaiting.replace("%(n)s", frame.position).replace("%(m)s", frame.size);
  if (!frame.eta_s) return place;
  return `${place}, ${words.wordsEta.replace("%(s)s", Math.ceil(frame.eta_s))}`;
}

/** What is said aloud when a reply has ended so. */
export function endWords(state, words) {
  if (state === "done") return words.wordsComplete;
  return state === "stopped" ? words.wordsStopped : words.wordsBroken;
}
