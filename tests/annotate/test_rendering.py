"""Whatever a model or an importer writes is inert on a page, and nothing in it is hidden."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate import rendering

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<button hx-post='/projects/x/delete' hx-trigger=load>x</button>",
    "<div data-hx-get=/jobs/ data-hx-trigger=load></div>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox)",
    "[x](//evil.example 'a\" onmouseover=\"alert(1)')",
    "<javascript:alert(1)>",
    "![beacon](http://evil.example/seen.png)",
    '![x](x "onerror=alert(1)")',
    "[x]: javascript:alert(1)\n\n[x]",
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "`</code><script>alert(1)</script>`",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "<style>*{display:none}</style><link rel=stylesheet href=//evil.example>",
    "<form action=//evil.example><input name=x></form>",
    '<a href="http://x" style="position:fixed;inset:0" id=main class=primary>x</a>',
    '<template><script>alert(1)</script></template><noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "\x00<scr\x00ipt>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
]
ALLOWED = {
    "a": {"href", "rel"},
    "span": {"class", "title"},
    "ol": {"start"},
    "td": {"align"},
    "th": {"align"},
    "pre": {"class"},
}


class Audit(HTMLParser):
    """Collects every tag, attribute and address that is not on the list, read apart from the library that made it."""

    def __init__(self):
        super().__init__()
        self.wrong = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in rendering._TAGS:
            self.wrong.append(tag)
        for name, value in attrs:
            if name not in ALLOWED.get(tag, set()):
                self.wrong.append(f"{tag} {name}")
            if name == "href" and value.partition(":")[0].lower() not in ("http", "https", "mailto") and ":" in value:
                self.wrong.append(value)

    def handle_data(self, data):
        self.text += data


def audit(html):
    found = Audit()
    found.feed(html)
    found.close()
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(text):
    assert audit(rendering.markdown(text)).wrong == []
    assert audit(rendering.raw(text)).wrong == []


@given(
    st.lists(st.sampled_from([*HOSTILE, "\n", "> ", "* ", "| ", "`", "[", "](", "<", ">", '"', "&"]), max_size=8).map(
        "".join
    )
)
def test_no_mixture_of_hostile_pieces_gets_through(text):
    assert audit(rendering.markdown(text)).wrong == []


def test_markdown_becomes_structure():
    html = rendering.markdown("**bold** and ~~gone~~\n\n1. one\n2. two\n\n| a |\n|---|\n| b |\n\n```python\nx < 1\n```")
    for piece in ("<strong>bold</strong>", "<s>gone</s>", "<ol>", "<td>b</td>", "<pre><code>x &lt; 1\n</code></pre>"):
        assert piece in html


def test_a_table_keeps_its_alignment():
    html = rendering.markdown("| a | b | c |\n|:-:|--:|---|\n| 1 | 2 | 3 |")
    for piece in ('<th align="center">a</th>', '<td align="right">2</td>', "<td>3</td>"):
        assert piece in html


def test_a_single_line_break_is_kept():
    assert "one<br>" in rendering.markdown("one\ntwo")


def test_links_lead_away_without_a_trace():
    html = rendering.markdown("[x](https://example.org 'hidden')")
    assert 'rel="noopener noreferrer nofollow ugc"' in html
    assert "hidden" not in html


@pytest.mark.parametrize(
    "character", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad", "\U000e0041", "\x1b", "\u3164"]
)
@pytest.mark.parametrize("form", ["a{}b", "`a{}b`", "```\na{}b\n```", "    a{}b", "[a{}b](http://x.example)"])
def test_hidden_characters_are_shown_as_marks(character, form):
    html = rendering.markdown(form.format(character))
    assert f">U+{ord(character):04X}</span>" in html
    assert character not in html


def test_joiners_that_a_script_or_an_emoji_needs_are_left_alone():
    assert "mark" not in rendering.markdown("👩\u200d💻 می\u200cخواهم")


def test_a_joiner_between_latin_letters_is_shown():
    assert "U+200D" in rendering.markdown("pass\u200dword")


def test_raw_text_is_the_text_itself():
    assert audit(rendering.raw("**a** <b>\n  c & d")).text == "**a** <b>\n  c & d"


def test_text_past_the_limit_is_shown_raw_and_whole():
    text = "**a** " * 6000
    html = rendering.markdown(text)
    assert html.startswith('<pre class="raw">')
    assert audit(html).text == text


def test_a_text_is_rendered_once(monkeypatch):
    rendering.markdown("rendered *once*")
    monkeypatch.setattr(rendering, "_MARKDOWN", None)
    assert rendering.markdown("rendered *once*") == "<p>rendered <em>once</em></p>\n"
