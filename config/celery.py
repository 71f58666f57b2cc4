"""The Celery app. Its messages only ring: what to do stands in Postgres (training/lifecycle.py)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("plackett")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
