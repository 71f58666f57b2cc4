"""The Celery app. Its messages only ring: what to do stands in Postgres (training/lifecycle.py)."""

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("plackett")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue("jobs"), Queue("light")]  # a worker started without -Q serves both
app.conf.task_default_queue = "light"
app.autodiscover_tasks()
