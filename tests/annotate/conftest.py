import pytest


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages link to the files as they are: their hashed copies are made when the server starts."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
