"""Who asks: whoever holds a living token, and nobody by a session cookie, so that no page can ask in their name."""

from django.utils.timezone import now
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from annotate import tokens
from annotate.models import Token, User

REFUSED = "Send a living token as “Authorization: Bearer …”. This one is missing, unknown, revoked or expired."
"""The same words whatever is wrong: they tell nobody whether a token was ever good."""


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, Token]:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        token = tokens.find(secret.strip(), at=now()) if scheme.lower() == "bearer" else None
        if token is None:
            raise AuthenticationFailed(REFUSED)
        tokens.note_use(token, at=now())
        token.user.asks_by = token
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
