// Dialogs open by data-dialog-open; menus (<details data-menu>) close like menus do.

export function openDialog(dialog) {
  if (dialog && !dialog.open) dialog.showModal();
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details[data-menu]"));
  const opener = event.target.closest("[data-dialog-open]");
  if (!opener) return;
  event.preventDefault();
  closeMenus(null);
  if (opener.dataset.dialogOpen === "keyboard-help") {
    document.dispatchEvent(new CustomEvent("shortcuts:show"));
  } else {
    openDialog(document.getElementById(opener.dataset.dialogOpen));
  }
});

// A click on the backdrop reaches the dialog itself.
document.addEventListener("click", (event) => {
  if (!(event.target instanceof HTMLDialogElement)) return;
  const box = event.target.getBoundingClientRect();
  const isInside =
    event.clientX >= box.left &&
    event.clientX <= box.right &&
    event.clientY >= box.top &&
    event.clientY <= box.bottom;
  // A key press on a button inside also arrives as a click, at 0, 0.
  if (!isInside && event.detail > 0) event.target.close();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("focusin", (event) => {
  closeMenus(event.target.closest("details[data-menu]"));
});
