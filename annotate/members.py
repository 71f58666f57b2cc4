"""Who is in a project: add, change a role, remove, hand out a sign-in link. Each leaves an audit row."""

from dataclasses import dataclass

from django.db import transaction

from annotate import accounts
from annotate.models import AuditEvent, Membership, Project, User


class MembershipRefused(ValueError):
    """The change would leave the project in a state that nobody can mend, or reach beyond it."""


@dataclass(frozen=True)
class Addition:
    membership: Membership
    link: str | None
    """Good once; None for a person whose account is not this project's to open."""


@transaction.atomic
def add(project: Project, name: str, role: str, *, by: User | None, base_url: str) -> Addition:
    """Make the person of this name a member. A name without an account gets one. `by` is None for the command line."""
    person = accounts.person(name, by=by)
    if not person.is_active:
        raise MembershipRefused(f"The account of {name} is closed. An installation admin can open it again.")
    membership, is_new = Membership.objects.get_or_create(project=project, user=person, defaults={"role": role})
    if not is_new:
        raise MembershipRefused(f"{name} is a member already. Change the role in the list.")
    AuditEvent.record("member.add", user=by, project=project, subject=name, role=role)
    link = accounts.sign_in_link(person, base_url, by=by) if may_open_account(by, person) else None
    return Addition(membership, link)


@transaction.atomic
def change_role(membership: Membership, role: str, *, by: User) -> Membership:
    found = _locked(membership, leaving_admin=role != Membership.Role.ADMIN)
    before, found.role = found.role, role
    found.save(update_fields=["role"])
    AuditEvent.record(
        "member.role", user=by, project=found.project, subject=found.user.username, before=before, after=role
    )
    return found


@transaction.atomic
def remove(membership: Membership, *, by: User) -> None:
    """What the person ranked stays, under the pseudonym."""
    found = _locked(membership, leaving_admin=True)
    found.delete()
    AuditEvent.record("member.remove", user=by, project=found.project, subject=found.user.username, role=found.role)


@transaction.atomic
def new_link(membership: Membership, *, by: User, base_url: str) -> str:
    if not may_open_account(by, membership.user):
        raise MembershipRefused(
            f"{membership.user} also belongs to projects that are not yours. An installation admin can make the link."
        )
    AuditEvent.record("member.link", user=by, project=membership.project, subject=membership.user.username)
    return accounts.sign_in_link(membership.user, base_url, by=by)


def may_open_account(by: User | None, person: User) -> bool:
    """May `by` hold a link that signs in as `person`? It must not reach further than `by` does already. The command
    line reaches everything."""
    if by is None or by.is_installation_admin:
        return True
    own = Membership.objects.filter(user=by, role=Membership.Role.ADMIN).values("project")
    return not person.is_superuser and not person.memberships.exclude(project__in=own).exists()


def _locked(membership: Membership, *, leaving_admin: bool) -> Membership:
    """The membership as it stands now. All admins of the project are locked, so that two cannot remove each other."""
    admins = Membership.objects.filter(project=membership.project_id, role=Membership.Role.ADMIN)
    ids = list(admins.select_for_update().order_by("pk").values_list("pk", flat=True))
    found = (
        Membership.objects.select_for_update(of=("self",)).select_related("project", "user").filter(pk=membership.pk)
    ).first()
    if found is None:
        raise MembershipRefused(f"{membership.user} was removed in the meantime.")
    if leaving_admin and ids == [found.pk]:
        raise MembershipRefused(f"{found.user} is the only admin of {found.project}. Make someone else admin first.")
    return found
