"""A client of the API, as a script is one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotate.models import Project, User
from tests import factories


class Script:
    """Asks in the name of a person, by a token of theirs."""

    def __init__(self, user: User, *scopes: str, **limits: Any) -> None:
        self.user = user
        self.token, self.secret = factories.make_token(user, *scopes, **limits)
        self._client = Client(headers={"Authorization": f"Bearer {self.secret}"})

    def get(self, path: str, **query: Any) -> Any:
        return self._client.get(f"/api/v1/{path}", query)

    def send(self, path: str, body: bytes | str, content_type: str = "application/x-ndjson", **query: Any) -> Any:
        return self._client.post(f"/api/v1/{path}", body, content_type=content_type, query_params=query)

    def post(self, path: str, data: Any, **more: Any) -> Any:
        return self._client.post(f"/api/v1/{path}", data, content_type="application/json", **more)

    def pages(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """All rows, page by page as `next` says."""
        found, answer = [], self.get(path, **query).json()
        while True:
            found += answer["results"]
            if answer["next"] is None:
                return found
            answer = self._client.get(answer["next"]).json()


@pytest.fixture
def garden(db: None) -> Project:
    return factories.make_project("garden")


@pytest.fixture
def script(garden: Project) -> Callable[..., Script]:
    """A researcher's, with every scope, unless told otherwise."""

    def script(*scopes: str, role: str = "researcher", **limits: Any) -> Script:
        return Script(factories.make_member(garden, role), *scopes, **limits)

    return script
