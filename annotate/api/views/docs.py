"""The schema, and the page that reads it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularAPIView

from annotate.api import reference


class Schema(SpectacularAPIView):
    """The code is public, so this is too."""

    permission_classes = ()
    throttle_classes = ()


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Our own page, not Swagger's: that one cannot be read in dark colours, nor on a phone."""
    return render(request, "annotate/api_docs.html", {"subjects": reference.subjects()})
