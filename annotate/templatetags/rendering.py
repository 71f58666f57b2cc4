"""{{ text|markdown }} and {{ text|raw_text }}: the only filters that make HTML of untrusted text."""

from django import template
from django.utils.safestring import SafeString

from annotate import rendering

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    return rendering.markdown(text)


@register.filter
def raw_text(text: str) -> SafeString:
    return rendering.raw(text)
