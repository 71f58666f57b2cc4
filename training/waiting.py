"""What a person asks of a job that is not done: when does it start, why not yet, does it live, when is it done."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils.timezone import now

from training.models import Device, Job, Worker
from training.workers import lifetime

SOON = timedelta(seconds=10)
MISSED_BEATS = 3
"""So many heartbeats late, a running job is no longer believed to run. It is taken up again when its lease ends."""


def place_in_queue(job: Job) -> int | None:
    """1 is the next; None if it does not wait."""
    if job.state != Job.State.QUEUED:
        return None
    return 1 + _ahead(job)


def why_waiting(job: Job) -> str:
    """A sentence on why a queued job does not run yet; empty if it does not wait."""
    if job.state != Job.State.QUEUED:
        return ""
    workers = takers(job)
    if not workers.exists():
        return f"No worker takes {job.queue} now. It starts by itself as soon as one is up."
    if not workers.filter(draining=False).exists():
        return "The worker is shutting down. It starts by itself as soon as one is up again."
    if job.devices_wanted:
        sentence = _no_device(job, set(workers.values_list("host", flat=True)))
        if sentence:
            return sentence
    ahead = _ahead(job)
    if ahead:
        return f"{ahead} {'job is' if ahead == 1 else 'jobs are'} ahead of it."
    if job.published_at is None and now() - job.created_at > SOON:
        return "The broker could not be reached when it was launched. A worker looks for it by itself within a minute."
    return "It starts within seconds."


def takers(job: Job) -> QuerySet[Worker]:
    """The workers of its queue that were seen lately."""
    return Worker.objects.filter(queue=job.queue, seen_at__gt=now() - lifetime())


def silent_for(job: Job) -> timedelta | None:
    """How long ago a running job that has missed its heartbeats last gave a sign of life: each renews the lease."""
    if job.state != Job.State.RUNNING or job.lease_until is None:
        return None
    last = job.lease_until - timedelta(seconds=settings.JOB_LEASE_SECONDS)
    silence = now() - last
    return silence if silence > timedelta(seconds=MISSED_BEATS * settings.JOB_HEARTBEAT_SECONDS) else None


def taken_up_again(job: Job) -> str:
    """What becomes of a job that is silent, and when: a sentence. The reaper decides, within a round of the lease."""
    assert job.lease_until is not None
    due = job.lease_until + timedelta(seconds=settings.JOB_REAP_SECONDS)
    left = due - now()
    when = f"in about {max(1, round(left.total_seconds()))} s" if left > -SOON else "as soon as a worker is up"
    if job.cancel_requested:
        return f"It counts as cancelled {when}."
    if job.interruptions >= settings.JOB_MAX_INTERRUPTIONS and not job.stop_requested:
        return f"It was interrupted too often to be taken up again, and is given up {when}."
    return f"It is taken up again {when}."


def phase(job: Job) -> str:
    """What this attempt does beside its steps, such as loading or saving; empty while it goes on by steps."""
    said = job.progress.get("phase")
    if job.state != Job.State.RUNNING or not said or said["attempt"] != job.attempt:
        return ""
    return str(said["text"])


def tells_how_far(job: Job) -> bool:
    """Whether this attempt has said so: what an earlier one said may be more or less than was kept of it."""
    return job.state == Job.State.RUNNING and job.progress.get("since", {}).get("attempt") == job.attempt


def time_left(job: Job) -> timedelta | None:
    """From the speed of this attempt; None while there is none yet, after the last step, and for a job gone silent."""
    if not tells_how_far(job) or silent_for(job):
        return None
    steps, since = job.progress["step"], job.progress["since"]
    done, spent = steps - since["step"], job.progress["time"] - since["time"]
    missing = job.progress["total"] - steps
    if done <= 0 or spent <= 0 or missing <= 0:
        return None
    return timedelta(seconds=missing * spent / done)


def _ahead(job: Job) -> int:
    first = Q(priority__lt=job.priority) | Q(priority=job.priority, pk__lt=job.pk)
    return Job.objects.filter(first, state=Job.State.QUEUED, queue=job.queue).count()


def _no_device(job: Job, hosts: set[str]) -> str:
    """Why no host has the devices that it wants; empty if one has."""
    counts = list(
        Device.objects.filter(host__in=hosts)
        .values("host")
        .annotate(all=Count("id"), free=Count("id", filter=Q(job=None)))
    )
    most = max((count["all"] for count in counts), default=0)
    if most < job.devices_wanted:
        return f"It wants {job.devices_wanted} devices on one host, and no host with a worker has more than {most}."
    if any(count["free"] >= job.devices_wanted for count in counts):
        return ""
    holders = Job.objects.filter(state=Job.State.RUNNING, devices__host__in=hosts).exclude(pk=job.pk).distinct()
    times = {holder: time_left(holder) for holder in holders}
    known = {holder: left for holder, left in times.items() if left is not None}
    first = min(known, key=lambda holder: known[holder]) if known else holders.first()
    if first is None:
        return ""
    return f"The device is busy with job {first.pk}{_about(first, known.get(first))}."


def _about(job: Job, left: timedelta | None) -> str:
    if left is None and (said := phase(job)):
        return f": {said[0].lower()}{said[1:]}"
    if left is None:
        return ", which has not yet said for how long"
    minutes = round(left.total_seconds() / 60)
    return f" for about {minutes} min more" if minutes else " for less than a minute more"
