"""The one way from a person's Markdown to HTML that may be shown. Text is never trusted:
markdown-it-py parses with raw HTML off, nh3 then keeps only the tags listed here."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import nh3
from django.utils.html import escape, format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES

from oasst.lib import formulas
from oasst.lib.characters import UNSTORABLE

# Parsing is close to linear, but not for every hostile text. Above these sizes the text is shown
# as it was typed: complete, and at once.
MAX_MARKDOWN_CHARS = 20_000
MAX_ADDRESSES = 200
MAX_FORMULAS = 500
MAX_TYPESET_CHARS = 4_000  # of all formulas of a text; the rest stays as it was typed
MAX_HIGHLIGHT_CHARS = 5_000
MAX_NESTING = 20

# Every block takes its direction from its own words, so one text may mix scripts.
_BLOCKS_WITH_DIRECTION = {"paragraph_open", "heading_open", "list_item_open", "th_open", "td_open"}
_SCHEMES = {"http", "https", "mailto"}
_LANGUAGES = frozenset(
    "bash c cpp csharp css diff go haskell html http ini java javascript json jsx julia kotlin"
    " latex lua makefile matlab perl php powershell python r ruby rust scala sh sql swift toml tsx"
    " typescript xml yaml".split()
)
_ALIASES = {
    "c++": "cpp",
    "cs": "csharp",
    "js": "javascript",
    "py": "python",
    "rb": "ruby",
    "rs": "rust",
    "shell": "bash",
    "tex": "latex",
    "ts": "typescript",
    "yml": "yaml",
}

# Left-to-right and right-to-left override: they make text read differently from what it is.
_OVERRIDES = re.compile("[\u202d\u202e]")


@lru_cache(maxsize=512)
def render(text: str) -> SafeString:
    """HTML of `text`, safe to put into a page."""
    text = _OVERRIDES.sub("", UNSTORABLE.sub("\ufffd", text))
    if len(text) > MAX_MARKDOWN_CHARS or text.count("://") > MAX_ADDRESSES:
        return _as_typed(text)
    if text.count("\\(") > MAX_FORMULAS:
        return _as_typed(text)
    env: dict[str, Any] = {}
    tokens = _PARSER.parse(text, env)
    # The parser drops what lies deeper; readers must see all of it.
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return _as_typed(text)
    # Safe: nh3 has kept only what the allow-list names.
    return mark_safe(_CLEANER.clean(_PARSER.renderer.render(tokens, _PARSER.options, env)))


def words(text: str) -> str:
    """The words of `text` without the marks of Markdown; formulas as they are typed."""
    return html.unescape(strip_tags(_TYPESET.sub(r"\2", render(text))))


_TYPESET = re.compile(
    r'<(span|div) class="math" data-typeset="" data-source="([^"]*)"[^>]*>.*?</\1>', re.DOTALL
)


def _as_typed(text: str) -> SafeString:
    return format_html('<p class="as-typed" dir="auto">{}</p>', text)


def _highlight(code: str, language: str, _attributes: str) -> str:
    name = _ALIASES.get(language.lower(), language.lower())
    if name not in _LANGUAGES or len(code) > MAX_HIGHLIGHT_CHARS:
        return escape(code)
    return highlight(code, get_lexer_by_name(name), HtmlFormatter(nowrap=True))


def _prepare(state: StateCore) -> None:
    """Give blocks a direction, and put headings below those of the page."""
    for token in state.tokens:
        if token.type in _BLOCKS_WITH_DIRECTION:
            token.attrSet("dir", "auto")
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        if token.type in {"th_open", "td_open"} and (style := token.attrs.pop("style", None)):
            token.attrSet("class", str(style).replace("text-align:", "align-"))


class _Renderer(RendererHTML):
    """HTML of the tokens that must look different here. Methods are named for their tokens."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A link in place of the image: pages must not call other servers by themselves."""
        address = str(tokens[idx].attrs["src"])
        words = tokens[idx].content or address
        return format_html('<a class="image-link" href="{}">{}</a>', address, words)

    def math_inline(self, tokens: Sequence[Token], idx: int, _: OptionsDict, env: EnvType) -> str:
        return _formula("span", tokens[idx].content, env, block=False)

    def math_block(self, tokens: Sequence[Token], idx: int, _: OptionsDict, env: EnvType) -> str:
        return _formula("div", tokens[idx].content, env, block=True) + "\n"

    def math_inline_double(
        self, tokens: Sequence[Token], idx: int, _: OptionsDict, env: EnvType
    ) -> str:
        return _formula("span", tokens[idx].content, env, block=True)

    def table_open(self, *_: Any) -> str:
        return '<div class="table-scroll"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"


def _formula(tag: str, content: str, env: EnvType, *, block: bool) -> str:
    """A formula as MathML with its source beside it; the source alone where that does not work.

    `data-typeset` tells scripts that there is nothing left to do.
    """
    source = f"\\[{content}\\]" if block else f"\\({content}\\)"
    env["typeset"] = env.get("typeset", 0) + len(content)
    fits = env["typeset"] <= MAX_TYPESET_CHARS
    shown = formulas.mathml(content.strip(), block=block) if fits else None
    if shown is None:
        return f'<{tag} class="math">{escape(source)}</{tag}>'
    return f'<{tag} class="math" data-typeset="" data-source="{escape(source)}">{shown}</{tag}>'


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        """Whole addresses only: a relative one could lead to an action on this site."""
        try:
            return urlsplit(url.strip()).scheme.lower() in _SCHEMES
        except ValueError:
            return False


def _make_parser() -> MarkdownIt:
    options = {
        "html": False,
        "linkify": True,
        "typographer": False,
        "breaks": True,
        "maxNesting": MAX_NESTING,
        "highlight": _highlight,
    }
    parser = _Parser("js-default", options, renderer_cls=_Renderer)
    parser.linkify = LinkifyIt(
        options={"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False}
    )
    _add_formulas(parser)
    parser.core.ruler.push("prepare", _prepare)
    return parser


def _add_formulas(parser: MarkdownIt) -> None:
    r"""Formulas between `$…$`, `$$…$$`, `\(…\)` and `\[…\]`; amounts of money are none."""
    dollarmath_plugin(
        parser,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,
        allow_blank_lines=False,
        double_inline=True,
    )
    texmath_plugin(parser, delimiters="brackets")
    # The plug-ins bring renderers of their own; ours are methods of the same names.
    for name in ("math_inline", "math_block", "math_inline_double"):
        parser.add_render_rule(name, getattr(_Renderer, name))


def _make_cleaner() -> nh3.Cleaner:
    tags = set(
        "p br hr strong em s code pre blockquote ul ol li h3 h4 h5 h6 a span div"
        " table thead tbody tr th td".split()
    )
    with_direction = {tag: {"dir"} for tag in ("p", "li", "th", "td", "h3", "h4", "h5", "h6")}
    scrolls = {"tabindex": "0"}
    return nh3.Cleaner(
        tags=tags | formulas.TAGS,
        attributes={
            "*": set(),
            **with_direction,
            **formulas.ATTRIBUTES,
            "a": {"href"},
            "ol": {"start"},
            **{tag: {"data-typeset", "data-source"} for tag in ("span", "div")},
        },
        allowed_classes={
            "span": {"math", *STANDARD_TYPES.values()} - {""},
            "a": {"image-link"},
            "div": {"table-scroll", "math"},
            "p": {"as-typed"},
            **{cell: {"align-left", "align-center", "align-right"} for cell in ("th", "td")},
        },
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer ugc",
        set_tag_attribute_values={"a": {"target": "_blank"}, "pre": scrolls, "div": scrolls},
    )


_PARSER = _make_parser()
_CLEANER = _make_cleaner()
