/* What somebody opened or ticked stays so when a part of the page is fetched anew. */
globalThis.Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element, change) => {
  const isOpened = name === "open" && change === "remove" && element.localName === "details";
  return !isOpened && !(name === "checked" && element.type === "checkbox");
};
