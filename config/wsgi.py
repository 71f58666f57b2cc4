"""The web application, for gunicorn. At its start it leaves the mark by which workers know that they share its home."""

import logging
import os

from django.core.wsgi import get_wsgi_application
from django.db import DatabaseError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from training import home  # noqa: E402  needs the apps

try:
    home.mark()
except DatabaseError:
    logging.getLogger(__name__).warning("The database is away: the home is marked at the next start.")
