"""What every response says, whichever page it is."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

GetResponse = Callable[[HttpRequest], HttpResponse]


def vary_by_htmx(get_response: GetResponse) -> GetResponse:
    """The same address gives the page, or its partial to htmx. Without a word of it, a browser that goes back may show
    the partial as the page."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response

    return respond
