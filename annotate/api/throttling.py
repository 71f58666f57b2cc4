"""How often one token may ask: for fair use, counted by each web process on its own."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView


class PerToken(SimpleRateThrottle):
    def __init__(self) -> None:
        """The rate is known only when a request is there."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self.scope = "read" if request.method in SAFE_METHODS else "write"
        self.rate = str(api_settings.DEFAULT_THROTTLE_RATES[self.scope])
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return f"throttle-{self.scope}-{request.auth.pk}" if request.auth else None
