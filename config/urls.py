"""Every address. A route without a row in tests/permissions.py fails the tests."""

from django.urls import include, path

from config import health

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("", include("annotate.urls")),
    path("", include("training.urls")),
]

handler404 = "annotate.api.problems.page_not_found"
handler500 = "annotate.api.problems.server_error"
