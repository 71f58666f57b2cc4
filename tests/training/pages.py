"""Pages as a test reads them: signed in, as text, or polled as htmx does."""

from django.http import HttpResponse
from django.test import Client

from annotate.models import User


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def polled(client: Client, url: str) -> HttpResponse:
    return client.get(url, headers={"HX-Request": "true"})
