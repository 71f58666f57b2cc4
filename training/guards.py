"""Rows of lower apps that must stay while a job needs them: a job names them in its inputs, not by a foreign key. What
was made of a snapshot to be handed out goes with it."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Model, ProtectedError
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from annotate.models import Snapshot
from training import exported
from training.models import Job


@receiver(pre_delete, sender=Snapshot, dispatch_uid="jobs_keep_their_snapshot")
def keep_snapshot(instance: Snapshot, **_: Any) -> None:
    # Whoever queues a job locks its snapshot first: a job that is not seen here will not find it.
    Snapshot.objects.select_for_update().filter(pk=instance.pk).first()
    waiting = Job.objects.filter(state__in=[Job.State.QUEUED, Job.State.RUNNING], inputs__snapshot=instance.pk)
    found: set[Model] = set(waiting)
    if found:
        raise ProtectedError(f"{instance} is read by jobs that are not done.", found)


@receiver(post_delete, sender=Snapshot, dispatch_uid="files_go_with_their_snapshot")
def remove_files(instance: Snapshot, **_: Any) -> None:
    for job in Job.objects.filter(kind=exported.KIND, inputs__snapshot=instance.pk):
        transaction.on_commit(partial(exported.remove, job))
