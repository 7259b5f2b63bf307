// The settings dialog: a slider beside each number, and presets that set them all.

const form = () => document.querySelector("[data-chat-settings]");
const fieldOf = (name) => form()?.elements.namedItem(name);
const rangeOf = (name) => form()?.querySelector(`[data-range="${name}"]`);

function copyToRanges() {
  for (const range of form().querySelectorAll("[data-range]")) {
    range.value = fieldOf(range.dataset.range).value;
  }
}

function takePreset(select) {
  const values = select.selectedOptions[0].dataset.values;
  if (!values) return;
  for (const [name, value] of Object.entries(JSON.parse(values))) {
    if (name === "seed" || name === "stop" || name === "max_new_tokens") continue;
    const toggle = form().querySelector(`[data-switch="${name}"]`);
    if (toggle) toggle.checked = value !== null;
    if (value !== null) fieldOf(name).value = value;
  }
  copyToRanges();
}

document.addEventListener("htmx:load", () => {
  if (form()) copyToRanges();
});

document.addEventListener("input", (event) => {
  if (!event.target.closest("[data-chat-settings]")) return;
  const { range, preset, switch: toggle } = event.target.dataset;
  if (preset !== undefined) return takePreset(event.target);
  if (range) fieldOf(range).value = event.target.value;
  else if (rangeOf(event.target.name)) rangeOf(event.target.name).value = event.target.value;
  const name = range || toggle || event.target.name;
  const isOfPresets = rangeOf(name) && name !== "max_new_tokens";
  if (isOfPresets) fieldOf("preset").value = "";
});
