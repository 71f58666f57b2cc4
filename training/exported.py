"""Files that export jobs made: how long they stay, and links that open one without signing in."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.utils.timezone import now

from annotate.models import AuditEvent, Membership, User
from annotate.roles import allows
from training.folders import JobFolder
from training.models import Artefact, Job

LIFE = timedelta(days=7)
"""Of a file, from when it was made, and of a link at most."""
KIND = "export"
_signer = TimestampSigner(salt="training.exported")


def file_of(job: Job) -> Artefact | None:
    """None for one that is not made yet, or was removed."""
    return job.artefacts.first() if job.kind == KIND and job.state == Job.State.SUCCEEDED else None


def path_of(artefact: Artefact) -> Path:
    return artefact.job.path / artefact.path


def name_of(artefact: Artefact) -> str:
    return Path(artefact.path).name


def good_until(job: Job) -> datetime | None:
    return job.finished_at and job.finished_at + LIFE


@transaction.atomic
def secret_for(artefact: Artefact, user: User) -> str:
    """What opens this file for whoever has it, as long as this person may. Nothing else is kept of it than that it was
    made."""
    AuditEvent.record("export.link", user=user, project=artefact.job.project, subject=artefact.job)
    return _signer.sign(f"{artefact.pk}.{user.pk}")


def opened(secret: str) -> Artefact | None:
    """None where it is wrong or too old, the file is gone, or whoever made it is no researcher there any more."""
    try:
        artefact_id, user_id = _signer.unsign(secret, max_age=LIFE).split(".")
    except BadSignature:
        return None
    made = Artefact.objects.select_related("job__project").filter(job__kind=KIND, job__finished_at__gt=now() - LIFE)
    artefact, user = made.filter(pk=artefact_id).first(), User.objects.filter(pk=user_id).first()
    if artefact is None or user is None or artefact.job.project is None:
        return None
    return artefact if allows(user, artefact.job.project, Membership.Role.RESEARCHER) else None


def remove_old(at: datetime) -> None:
    for job in Job.objects.filter(kind=KIND, finished_at__lt=at - LIFE, artefacts__isnull=False).distinct():
        remove(job)


def remove(job: Job) -> None:
    """The file, then what is known of it: if it breaks off in between, the next round does it again."""
    output = JobFolder(job.path).output
    shutil.rmtree(output, ignore_errors=True)
    if not output.exists():
        job.artefacts.all().delete()
