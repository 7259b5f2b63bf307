// What people see when a fragment cannot be fetched. Answers of 4xx that bring a fragment (a form
// with its errors) are shown in place; for everything else there is a toast.
import { showToast } from "./toasts.js";

const words = () => document.getElementById("toasts").dataset;

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  const isFragment = xhr.getResponseHeader("HX-Retarget") || xhr.status === 422;
  if (xhr.status >= 400 && xhr.status < 500 && isFragment) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.getResponseHeader("HX-Trigger")?.includes("toast")) return;
  if (xhr.status === 429) showToast(words().tooFast, "warning");
  else if (xhr.status === 403) showToast(words().forbidden, "error");
  else showToast(words().failed, "error");
});

document.addEventListener("htmx:sendError", () => showToast(words().offline, "error"));
document.addEventListener("htmx:timeout", () => showToast(words().offline, "error"));
