// Markdown while it is being written. The same rules as on the server, and the same list of what
// may appear: markdown-it without HTML, then DOMPurify. Text of people and models is never trusted.
import DOMPurify from "../../vendor/dompurify/purify.es.mjs";
import MarkdownIt from "../../vendor/markdown-it/markdown-it.esm.min.mjs";
import { highlight } from "./code.js";
import { addFormulas } from "./formulas.js";

const MAX_CHARS = 60_000;
const SCHEMES = /^(https?|mailto):/i;
const ALLOWED = {
  ALLOWED_TAGS: (
    "p br hr strong em s code pre blockquote ul ol li h3 h4 h5 h6 a span div" +
    " table thead tbody tr th td"
  ).split(" "),
  ALLOWED_ATTR: ["href", "start", "class", "dir", "target", "rel", "tabindex"],
  ALLOWED_URI_REGEXP: SCHEMES,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
// Left-to-right and right-to-left override: they make text read differently from what it is.
const OVERRIDES = /[\u202d\u202e]/g;

const parser = makeParser();

function makeParser() {
  const made = new MarkdownIt("default", {
    html: false,
    linkify: true,
    breaks: true,
    typographer: false,
    maxNesting: 20,
    highlight,
  });
  made.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
  made.validateLink = (url) => SCHEMES.test(url.trim());
  made.core.ruler.push("prepare", prepare);
  made.renderer.rules.table_open = () => '<div class="table-scroll" tabindex="0"><table>';
  made.renderer.rules.table_close = () => "</table></div>";
  made.renderer.rules.image = imageAsLink;
  made.renderer.rules.link_open = (tokens, at, options, _env, self) => {
    tokens[at].attrSet("target", "_blank");
    tokens[at].attrSet("rel", "nofollow noopener noreferrer ugc");
    return self.renderToken(tokens, at, options);
  };
  addFormulas(made);
  return made;
}

/** Pages must not call other servers by themselves. */
function imageAsLink(tokens, at) {
  const { escapeHtml } = parser.utils;
  const address = tokens[at].attrGet("src");
  return `<a class="image-link" href="${escapeHtml(address)}">${escapeHtml(tokens[at].content || address)}</a>`;
}

function prepare(state) {
  for (const token of state.tokens) {
    if (/^(paragraph|heading|list_item|th|td)_open$/.test(token.type)) token.attrSet("dir", "auto");
    if (token.type.startsWith("heading_")) {
      token.tag = `h${Math.min(Number(token.tag[1]) + 2, 6)}`;
    }
    if (token.type === "th_open" || token.type === "td_open") {
      const style = token.attrGet("style");
      if (style) token.attrs = token.attrs.filter(([name]) => name !== "style");
      if (style) token.attrSet("class", style.replace("text-align:", "align-"));
    }
  }
}

/** The HTML of each block of `text`, not yet safe: pass it to `fragment`. */
export function blocks(text) {
  const source = text.replace(OVERRIDES, "");
  if (source.length > MAX_CHARS) return [`<p class="as-typed">${parser.utils.escapeHtml(source)}</p>`];
  const env = {};
  const tokens = parser.parse(source, env);
  const found = [];
  let begin = 0;
  tokens.forEach((token, at) => {
    if (token.level > 0 || token.nesting > 0) return;
    found.push(parser.renderer.render(tokens.slice(begin, at + 1), parser.options, env));
    begin = at + 1;
  });
  return found;
}

/** DOM of what may be shown of `html`. */
export function fragment(html) {
  return DOMPurify.sanitize(html, ALLOWED);
}
