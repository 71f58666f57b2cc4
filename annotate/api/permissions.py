"""What a token may do: what its scopes say, and its person's role in the project at this moment."""

from typing import TYPE_CHECKING

from django.http import Http404
from rest_framework.exceptions import MethodNotAllowed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from annotate.models import Token
from annotate.roles import NO_PROJECT, member_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

SIGNED_IN = "signed in"
"""The role that a view without a project in its address takes."""


class ScopeAndRole(BasePermission):
    """Deny by default: a view that does not say which scope each method takes, and which role, is for nobody."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        scopes, role, token = getattr(view, "scopes", None), getattr(view, "role", None), request.auth
        if not scopes or not role or not isinstance(token, Token):
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in scopes:
            raise MethodNotAllowed(method)
        if token.project and view.kwargs.get("slug", token.project.slug) != token.project.slug:
            raise Http404(NO_PROJECT)
        if scopes[method] not in token.scopes:
            raise PermissionDenied(f"This takes the scope {scopes[method]}; your token has {', '.join(token.scopes)}.")
        if role != SIGNED_IN:
            found = member_of(token.user, view.kwargs["slug"], role)
            view.project, view.held = found  # type: ignore[attr-defined]
        return True
