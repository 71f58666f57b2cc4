"""Every address. A route without a row in tests/permissions.py fails the tests."""

from django.urls import include, path

urlpatterns = [
    path("", include("annotate.urls")),
]
