"""What a view behind a guard may rely on. Only for annotations: requests are made by Django, and filled on the way."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from annotate.models import Project, User


class SignedInRequest(HttpRequest):
    """Where LoginRequiredMiddleware lets only people pass."""

    user: User
    htmx: HtmxDetails


class ProjectRequest(SignedInRequest):
    """Behind roles.project_role."""

    project: Project
    role: str
