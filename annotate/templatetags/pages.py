"""What templates of every page need: links that know where they are, and what kind of field a field is."""

from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput
from django.urls import NoReverseMatch, reverse

from annotate.models import Membership
from annotate.roles import at_least, researches

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
def reader_researches(context: template.Context) -> bool:
    """Whether the reader is a researcher of any project. Where the page's own role says so, without a query."""
    request = context["request"]
    role = getattr(request, "role", None)
    return (role is not None and at_least(role, Membership.Role.RESEARCHER)) or researches(request.user)


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)
