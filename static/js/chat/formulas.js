// Formulas: between $…$, $$…$$, \(…\) and \[…\] in the source, typeset as MathML by KaTeX, which
// is loaded when the first one comes. KaTeX builds DOM nodes itself and trusts no command.

const OPTIONS = { output: "mathml", throwOnError: false, trust: false, strict: "ignore", maxExpand: 200, maxSize: 20 };
// Amounts of money are no formulas: no space inside of the dollars, no digit after the second.
const INLINE = /^(?:\\\((.+?)\\\)|\$(?!\s)((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d))/s;
const DISPLAY = /^(?:\\\[([\s\S]+?)\\\]|\$\$([\s\S]+?)\$\$)/;

let loading = null;

/** Teach a markdown-it parser to leave formulas alone. */
export function addFormulas(parser) {
  const { escapeHtml } = parser.utils;
  parser.inline.ruler.before("escape", "formula", inline);
  parser.block.ruler.before("fence", "formula_block", block, { alt: ["paragraph"] });
  parser.renderer.rules.formula = (tokens, at) =>
    `<span class="math">${escapeHtml(tokens[at].content)}</span>`;
  parser.renderer.rules.formula_block = (tokens, at) =>
    `<div class="math" tabindex="0">${escapeHtml(tokens[at].content)}</div>`;
}

function inline(state, silent) {
  const char = state.src[state.pos];
  if (char !== "$" && char !== "\\") return false;
  const rest = state.src.slice(state.pos);
  const display = rest.startsWith("$$") ? DISPLAY.exec(rest) : null;
  const found = display || INLINE.exec(rest);
  if (!found || (!display && isAmount(state, char))) return false;
  if (!silent) {
    const token = state.push("formula", "", 0);
    const tex = found[1] ?? found[2];
    token.content = display ? `\\[${tex}\\]` : `\\(${tex}\\)`;
  }
  state.pos += found[0].length;
  return true;
}

function isAmount(state, char) {
  return char === "$" && /\d/.test(state.src[state.pos - 1] || "");
}

function block(state, startLine, endLine, silent) {
  const start = state.bMarks[startLine] + state.tShift[startLine];
  if (!/^(\$\$|\\\[)/.test(state.src.slice(start, start + 2))) return false;
  const found = DISPLAY.exec(state.src.slice(start, state.eMarks[endLine - 1]));
  if (!found) return false;
  let line = startLine;
  while (line < endLine && state.eMarks[line] < start + found[0].length) line += 1;
  if (state.src.slice(start + found[0].length, state.eMarks[line]).trim()) return false;
  if (silent) return true;
  const token = state.push("formula_block", "", 0);
  token.block = true;
  token.map = [startLine, line + 1];
  token.content = `\\[${found[1] ?? found[2]}\\]`;
  state.line = line + 1;
  return true;
}

/** Typeset the formulas below `root`. */
export async function typeset(root) {
  const found = [...root.querySelectorAll(".math:not([data-typeset])")];
  if (!found.length) return;
  for (const element of found) element.dataset.typeset = "";
  loading ??= import("../../vendor/katex/katex.min.js");
  await loading;
  for (const element of found) {
    const source = element.textContent;
    const displayMode = source.startsWith("\\[");
    globalThis.katex.render(source.slice(2, -2), element, { ...OPTIONS, displayMode });
    element.dataset.source = source;
  }
}
