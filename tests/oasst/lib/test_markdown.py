"""What people write never becomes script, never calls another server, and is never lost."""

import time
from html.parser import HTMLParser
from urllib.parse import urlsplit

import nh3
import pytest
from django.utils.html import escape
from hypothesis import given, settings
from hypothesis import strategies as st

from oasst.lib import formulas
from oasst.lib.markdown import MAX_MARKDOWN_CHARS, render, words

TAGS = set(
    "p br hr strong em s code pre blockquote ul ol li h3 h4 h5 h6 a span div table thead tbody"
    " tr th td".split()
) | {*formulas.TAGS}
ATTRIBUTES = {"href", "target", "rel", "class", "dir", "start", "tabindex", "data-typeset",
              "data-source"}.union(*formulas.ATTRIBUTES.values())  # fmt: skip
REL = "nofollow noopener noreferrer ugc"

ATTACKS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script xlink:href=data:,alert(1)></script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=a()&gt;'",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe srcdoc='&lt;script&gt;alert(1)&lt;/script&gt;'></iframe>",
    "<object data=javascript:alert(1)></object><embed src=//evil.example>",
    "<base href=//evil.example><link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'</style><p style='background:url(//evil.example)'>",
    "<a href=javascript:alert(1)>x</a><details open ontoggle=alert(1)>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<input autofocus onfocus=alert(1)><video><source onerror=alert(1)></video>",
    "<template><img src=x onerror=alert(1)></template>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example/path)",
    "[x](/account/)",
    "[x](https://a.example \"' onmouseover='alert(1)\")",
    '[x](https://a.example/"onmouseover="alert(1))',
    "[x](https://a.example/\x00javascript:alert(1))",
    "<javascript:alert(1)>",
    "<https://a.example/'onclick='alert(1)'>",
    "![x](https://evil.example/beacon.gif)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "![<img src=x onerror=alert(1)>](https://a.example/y.png)",
    "[![x](https://a.example/y.png)](https://evil.example)",
    "[r]\n\n[r]: javascript:alert(1)",
    '[r][]\n\n[r]: https://a.example "\'><script>alert(1)</script>"',
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "```html\n<script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "| <script>alert(1)</script> | b |\n|-|-|\n| <img src=x onerror=alert(1)> | c |",
    "https://a.example/<script>alert(1)</script>",
    "# <svg onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "<div class='site-header' id='main'>looks like the page</div>",
]


class Auditor(HTMLParser):
    """Reads HTML as a browser would and notes everything that the rules do not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.structure: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.structure.append((tag, given))
        if tag not in TAGS or not set(given) <= ATTRIBUTES:
            self.problems.append(f"<{tag}> with {sorted(given)}")
        if tag == "a":
            scheme = urlsplit(given["href"] or "").scheme
            if scheme not in {"http", "https", "mailto"} or given.get("rel") != REL:
                self.problems.append(f"link {given}")

    def handle_endtag(self, tag: str) -> None:
        self.structure.append(tag)

    def handle_data(self, data: str) -> None:
        self.structure.append(data)


def problems_in(html: str) -> list[str]:
    auditor = Auditor()
    auditor.feed(html)
    return auditor.problems


def structure_of(html: str) -> list[object]:
    """Tags, attributes whatever their order, and text."""
    auditor = Auditor()
    auditor.feed(html)
    return auditor.structure


@pytest.mark.parametrize("text", ATTACKS)
def test_attack_becomes_harmless_text(text: str) -> None:
    assert problems_in(render(text)) == []


@pytest.mark.parametrize("text", ATTACKS)
def test_attack_inside_other_markup_becomes_harmless_text(text: str) -> None:
    assert problems_in(render(f"> - **{text}**\n>\n> | a |\n> |-|\n> | {text} |")) == []


@pytest.mark.parametrize("text", ATTACKS)
def test_html_means_the_same_when_it_is_parsed_again(text: str) -> None:
    html = render(text)

    again = nh3.clean(html, tags=TAGS, attributes={"*": ATTRIBUTES - {"rel"}}, link_rel=REL)

    assert structure_of(again) == structure_of(html)


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from([*ATTACKS, "\n", "\n\n", "> ", "- ", "`", "|", "*", "<", '"']), max_size=6
    )
)
def test_any_mixture_of_attacks_is_harmless(parts: list[str]) -> None:
    assert problems_in(render("".join(parts))) == []


@settings(max_examples=200)
@given(st.text(max_size=300))
def test_any_text_is_rendered(text: str) -> None:
    assert problems_in(render(text)) == []


def test_markdown_people_use_is_rendered() -> None:
    html = render("**bold** *slanted* ~~gone~~ `code`\nnext line\n\n1. one\n2. two\n\n> said")

    assert "<strong>bold</strong> <em>slanted</em> <s>gone</s> <code>code</code><br>" in html
    assert "<ol>" in html
    assert "<blockquote>" in html


def test_link_opens_elsewhere_and_passes_nothing_on() -> None:
    html = render("[site](https://example.org/a?b=1&c=2)")

    assert html == (
        '<p dir="auto"><a href="https://example.org/a?b=1&amp;c=2" target="_blank"'
        f' rel="{REL}">site</a></p>\n'
    )


def test_bare_address_becomes_a_link_but_a_bare_name_does_not() -> None:
    html = render("see https://example.org and example.org and a@example.org")

    assert html.count("<a ") == 1
    assert ">https://example.org</a>" in html


def test_image_becomes_a_link_with_its_text() -> None:
    html = render("![a cat](https://example.org/cat.png)")

    assert "<img" not in html
    assert 'class="image-link" href="https://example.org/cat.png"' in html
    assert ">a cat</a>" in html


def test_code_is_highlighted_by_classes_only() -> None:
    html = render("```python\nreturn 1\n```")

    assert '<span class="k">return</span>' in html
    assert "style=" not in html


def test_code_in_an_unknown_language_stays_as_it_is() -> None:
    assert "<code>a &lt; b\n</code>" in render("```klingon\na < b\n```")


FRACTION = "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"


@pytest.mark.parametrize(
    ("text", "tag", "source"),
    [
        (r"$\frac{a}{b}$", "span", r"\(\frac{a}{b}\)"),
        (r"\(\frac{a}{b}\)", "span", r"\(\frac{a}{b}\)"),
        (r"so $$\frac{a}{b}$$ is", "span", r"\[\frac{a}{b}\]"),
        ("$$\n\\frac{a}{b}\n$$", "div", "\\[\n\\frac{a}{b}\n\\]"),
        (r"\[\frac{a}{b}\]", "div", r"\[\frac{a}{b}\]"),
    ],
)
def test_formula_is_typeset_and_keeps_its_source(text: str, tag: str, source: str) -> None:
    html = render(text)

    assert f'<{tag} class="math" data-typeset="" data-source="{source}"' in html
    assert f"<mrow>{FRACTION}</mrow></math>" in html
    assert source in words(text)


@pytest.mark.parametrize(
    "formula",
    [r"\unknown{a*b*c}", r"\frac{", r"\text{<script>x</script>}", "x" * 1001, "{" * 61 + "}" * 61,
     r"a\hspace{-9em}b", r"\begin{aligned}a&=b\end{aligned}"],
)  # fmt: skip
def test_formula_that_cannot_be_typeset_is_shown_as_it_was_typed(formula: str) -> None:
    html = render(rf"\({formula}\)")

    assert rf'<span class="math">\({escape(formula)}\)</span>' in html
    assert "<math" not in html


@pytest.mark.parametrize(
    ("formula", "gone"),
    [(r"\href{javascript:a()}{x}", "href="), (r"\style{color:red}{x}", "style="),
     (r"\color{white}{x}", "color="), (r"\class{button}{x}", "button"),
     (r"\phantom{x}", "mphantom")],
)  # fmt: skip
def test_formula_brings_no_link_no_look_and_nothing_hidden(formula: str, gone: str) -> None:
    shown = render(rf"\({formula}\)").split("<math")[1]

    assert "<mi>x</mi>" in shown
    assert gone not in shown


@pytest.mark.parametrize("text", ["$5 or $10", "US$5-$10", "`$x$`", "a $ b $ c", r"\$x$"])
def test_amounts_and_code_are_no_formulas(text: str) -> None:
    assert "math" not in render(text)


def test_headings_stand_below_those_of_the_page() -> None:
    assert render("# One") == '<h3 dir="auto">One</h3>\n'
    assert render("###### Six") == '<h6 dir="auto">Six</h6>\n'


def test_table_keeps_its_alignment_without_inline_style() -> None:
    html = render("| a |\n|--:|\n| 1 |")

    assert '<td dir="auto" class="align-right">1</td>' in html
    assert "style=" not in html


def test_each_paragraph_takes_its_own_direction() -> None:
    assert render("مرحبا\n\nhello").count('<p dir="auto">') == 2


@pytest.mark.parametrize("override", ["\u202d", "\u202e"])
def test_direction_override_cannot_disguise_text(override: str) -> None:
    assert render(f"invoice{override}gpj.exe") == '<p dir="auto">invoicegpj.exe</p>\n'


def test_characters_that_cannot_be_stored_become_visible() -> None:
    assert render("a\x00b\ud800c") == '<p dir="auto">a\ufffdb\ufffdc</p>\n'


@pytest.mark.parametrize("opener", ["> ", "- > ", "1. ", "* * a\n"])
def test_text_nested_too_deep_is_shown_as_typed(opener: str) -> None:
    text = opener * 60 + "the end"

    html = render(text)

    assert "the end" in html
    assert problems_in(html) == []


HOSTILE = {
    "megabyte": "a" * 1_000_000,
    "megabyte of markup": "**[`<" * 200_000,
    "ten thousand quotes": ">" * 10_000 + " x",
    "ten thousand list items": "- " * 9_000 + "x",
    "brackets": "[" * MAX_MARKDOWN_CHARS,
    "images": "![" * (MAX_MARKDOWN_CHARS // 2),
    "emphasis": "**a*" * (MAX_MARKDOWN_CHARS // 4),
    "backticks": "".join("`" * i + " " for i in range(1, 190)),
    "half links": "[a](<b" * (MAX_MARKDOWN_CHARS // 6),
    "entities": "&#x1;" * (MAX_MARKDOWN_CHARS // 5),
    "comments": "<!--" * (MAX_MARKDOWN_CHARS // 4),
    "addresses": "https://a." * (MAX_MARKDOWN_CHARS // 10),
    "few addresses, long": ("https://a." * 190).ljust(MAX_MARKDOWN_CHARS, "("),
    "combining marks": "e" + "\u0301" * (MAX_MARKDOWN_CHARS - 1),
    "formulas": r"\(a" * (MAX_MARKDOWN_CHARS // 3),
    "formulas that are typeset": " ".join(f"${i}$" for i in range(4_000))[:MAX_MARKDOWN_CHARS],
    "few formulas, long": (r"\(" * 490).ljust(MAX_MARKDOWN_CHARS, "a"),
    "quotes in code": "```python\n" + '"' * 4_900 + "\n```",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_rendered_in_time(name: str) -> None:
    began = time.process_time()

    html = render(HOSTILE[name])

    # Seconds of the processor: other programs do not count.
    assert time.process_time() - began < 2
    assert problems_in(html) == []


def test_long_text_is_complete() -> None:
    text = "word *star* <b> " * 10_000

    html = render(text)

    assert html.count("word *star* &lt;b&gt;") == 10_000
    assert html.startswith('<p class="as-typed" dir="auto">')
