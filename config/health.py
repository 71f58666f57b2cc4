"""Is the server alive, and is it ready? For load balancers, supervisors and whoever wonders.

Without the database, or with migrations still to run, nothing works: 503. Without the broker, a worker or free disk
people still rank and read: 200, "degraded", and the answer says what is missing."""

import shutil
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.celery import app
from config.checkup import LEAST_FREE_BYTES
from training.models import Worker

WORKER_SILENCE = timedelta(seconds=60)


class Unwell(Exception):
    """One thing is not as it should be. The text says what to do."""


@login_not_required
@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    needed = {"database": database, "migrations": migrations}
    wanted = {"broker": broker, "workers": workers, "disk": disk}
    checks = {name: _outcome(check) for name, check in (needed | wanted).items()}
    failed = {name for name, outcome in checks.items() if outcome != "ok"}
    state = "not ready" if failed & set(needed) else "degraded" if failed else "ready"
    return JsonResponse({"status": state, "checks": checks}, status=503 if state == "not ready" else 200)


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Unwell as problem:
        return str(problem)
    except DatabaseError:
        return "The database does not answer. See its log."
    return "ok"


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unwell("Migrations are still to run. Run python manage.py migrate.")


def broker() -> None:
    with app.connection_for_write() as link:
        try:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except Exception as problem:  # each transport has errors of its own
            raise Unwell("The broker does not answer. Jobs wait until it does; nothing is lost.") from problem


def workers() -> None:
    seen = set(Worker.objects.filter(seen_at__gt=now() - WORKER_SILENCE).values_list("queue", flat=True))
    missing = sorted({"jobs", "light"} - seen)
    if missing:
        raise Unwell(f"No worker of queue {' and '.join(missing)} was seen for a minute. Its jobs wait.")


def disk() -> None:
    if shutil.disk_usage(settings.HOME).free < LEAST_FREE_BYTES:
        raise Unwell("Less than 1 GiB is free for models and snapshots. Make room.")
