// Follows the end of the conversation, unless somebody has scrolled up to read.

const NEAR_PX = 120;
let follows = true;

const button = document.querySelector("[data-to-end]");

function distance() {
  return document.documentElement.scrollHeight - innerHeight - scrollY;
}

export function toEnd() {
  follows = true;
  scrollTo({ top: document.documentElement.scrollHeight });
  show();
}

function show() {
  if (button) button.hidden = follows;
}

export function watchScroll() {
  addEventListener(
    "scroll",
    () => {
      follows = distance() < NEAR_PX;
      show();
    },
    { passive: true },
  );
  document.addEventListener("chat:grown", () => {
    if (follows) scrollTo({ top: document.documentElement.scrollHeight });
    show();
  });
  button?.addEventListener("click", toEnd);
  if (!location.hash) toEnd();
}
