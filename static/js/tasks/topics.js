// Once as many topics are marked as a conversation can have, the others rest.

for (const group of document.querySelectorAll("[data-topics]")) {
  const marks = [...group.querySelectorAll("input[type=checkbox]")];
  const show = () => {
    const isFull = marks.filter((mark) => mark.checked).length >= Number(group.dataset.topics);
    for (const mark of marks) mark.disabled = isFull && !mark.checked;
  };
  group.addEventListener("change", show);
  group.closest("form").addEventListener("draft:written", show);
  show();
}
