"""What permissions.ScopeAndRole reads, and what it fills: `project` and the role `held` in it, by the address."""

from typing import ClassVar

from rest_framework.views import APIView

from annotate.api.parsers import OptionsParser
from annotate.api.permissions import SIGNED_IN
from annotate.models import Membership, Project, Token, User

Role = Membership.Role
Scope = Token.Scope


class TokenView(APIView):
    parser_classes = (OptionsParser,)
    scopes: ClassVar[dict[str, str]] = {}
    role: ClassVar[str] = SIGNED_IN

    @property
    def allowed_methods(self) -> list[str]:
        return list(self.scopes)

    @property
    def token(self) -> Token:
        """Of whoever asks: no view is reached without one."""
        assert isinstance(self.request.auth, Token)
        return self.request.auth

    @property
    def person(self) -> User:
        return self.token.user


class ProjectView(TokenView):
    project: Project
    held: str
