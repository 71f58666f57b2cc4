"""The installed product: settings, URLs, the embedded services and what starts them."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
