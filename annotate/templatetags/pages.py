"""What templates of every page need: links that know where they are, addresses that keep their query."""

from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.urls import NoReverseMatch, reverse

register = template.Library()


@register.inclusion_tag("_nav_link.html", takes_context=True)
def nav_link(context: template.Context, name: str, label: str) -> dict[str, Any]:
    """A link of the bar, marked where the reader is; nothing where no app offers that page."""
    try:
        href = reverse(name)
    except NoReverseMatch:
        return {"href": ""}
    path = context["request"].path
    return {"href": href, "label": label, "current": path == href or (href != "/" and path.startswith(href))}


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """This page's query string with some values changed; None takes one away."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None:
            query[name] = str(value)
    return f"?{query.urlencode()}"


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)
