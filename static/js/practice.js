// Asks for the answer to a practice item while the finger is still down: on a phone's network most of
// the way is there by the time it is lifted. The page may be kept for a few seconds, so that the
// form, which is sent as ever, finds it with the browser.

document.addEventListener("pointerdown", (event) => {
  const button = event.target.closest(".practice-form button[name]");
  if (!button || event.button !== 0) return;
  const address = new URL(button.form.action);
  address.search = new URLSearchParams(new FormData(button.form, button));
  fetch(address, { priority: "high" }).catch(() => {});
});
