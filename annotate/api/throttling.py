"""How often one token may ask: for fair use, over all web processes."""

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from annotate import tokens
from annotate.models import Token

if TYPE_CHECKING:
    from rest_framework.views import APIView


class PerToken(BaseThrottle):
    def allow_request(self, request: Request, view: "APIView") -> bool:
        if not isinstance(request.auth, Token):
            return True
        kind = "read" if request.method in SAFE_METHODS else "write"
        count, self._left = tokens.counted(request.auth, kind)
        return count <= settings.API_RATES[kind]

    def wait(self) -> float:
        return self._left
