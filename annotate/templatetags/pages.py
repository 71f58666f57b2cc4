"""What templates of every page need: links that know where they are, and what kind of field a field is."""

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


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)
