"""The one way untrusted text becomes HTML: prompts, answers and guidelines, whoever or whatever wrote them.

Markdown is rendered without HTML or images, then only a short list of tags passes. Characters that hide or reorder
text are shown as marks. Text past the limit is shown raw and whole, because hostile markdown costs time that grows
with its length."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import nh3
from django.core.cache import cache
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

VERSION = "2"
"""Part of the cache's key: raise it with every change to what is rendered."""

LIMIT_BYTES = 32 * 1024

_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "blockquote", "pre", "hr", "br", "ul", "ol", "li"),
    *("a", "code", "em", "strong", "s", "span", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(),
    "a": {"href"},
    "ol": {"start"},
    "span": {"title"},
    "td": {"align"},
    "th": {"align"},
}

# Controls, bidirectional marks, fillers and the zero-width. A joiner between two characters past Latin is left alone:
# scripts such as Persian and emoji of several parts are written with it.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
    "|(?<![\u0300-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0300-\U0010ffff])"
)


def _mark(match: re.Match[str]) -> str:
    character = match[0]
    name = unicodedata.name(character, "control character").lower()
    return f'<span class="mark" title="{name}">U+{ord(character):04X}</span>'


def _visible(escaped: str) -> str:
    return _HIDDEN.sub(_mark, escaped)


def _text(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return _visible(escape(tokens[index].content))


def _code(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return f"<code>{_visible(escape(tokens[index].content))}</code>"


def _block(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    return f"<pre><code>{_visible(escape(tokens[index].content))}</code></pre>\n"


def _cell(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """Its alignment as an attribute: as the style that markdown-it writes, no page may show it."""
    style = str(tokens[index].attrs.pop("style", ""))
    if style:
        tokens[index].attrSet("align", style.removeprefix("text-align:"))
    return renderer.renderToken(tokens, index, options, env)


# A single line break stays one: models and people write lists, verses and addresses with it.
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
_MARKDOWN.enable(["table", "strikethrough"]).disable("image")
_RULES = {"text": _text, "code_inline": _code, "code_block": _block, "fence": _block}
for _token, _rule in (_RULES | {"th_open": _cell, "td_open": _cell}).items():
    _MARKDOWN.add_render_rule(_token, _rule)


def raw(text: str) -> SafeString:
    """The text as it was written, character by character, hidden ones as marks."""
    return mark_safe(_visible(escape(text)))  # noqa: S308  escaped in this line


def markdown(text: str) -> SafeString:
    """The text as markdown, safe to stand in a page."""
    content = text.encode("utf-8", "replace")
    if len(content) > LIMIT_BYTES:
        return mark_safe(f'<pre class="raw">{raw(text)}</pre>')  # noqa: S308  raw() is safe
    key = f"rendered:{VERSION}:{hashlib.sha256(content).hexdigest()}"
    html = cache.get(key)
    if html is None:
        html = _sanitised(_MARKDOWN.render(text))
        cache.set(key, html, timeout=3600)
    return mark_safe(html)  # noqa: S308  sanitised


def _sanitised(html: str) -> str:
    """No title on a link: it would hold text that nobody sees. No class but our own."""
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes={"span": {"mark"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow ugc",
    )
