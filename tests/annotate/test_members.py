"""Two admins at the same moment, on a real database."""

from threading import Barrier, Thread

import pytest
from django.db import connection

from annotate import members
from annotate.models import AuditEvent, Membership
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_admins_who_remove_each_other_leave_one():
    project = make_project()
    ada, ben = (make_member(project, "admin", make_user(name)) for name in ("ada", "ben"))
    start, refused = Barrier(2), []

    def remove(other, by):
        membership = Membership.objects.select_related("user").get(project=project, user=other)
        start.wait()
        try:
            members.remove(membership, by=by)
        except members.MembershipRefused as problem:
            refused.append(str(problem))
        finally:
            connection.close()

    threads = [Thread(target=remove, args=pair) for pair in ((ada, ben), (ben, ada))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert project.memberships.filter(role="admin").count() == 1
    assert len(refused) == 1 and "only admin" in refused[0]


def test_the_audit_names_who_added_the_person_and_made_the_link():
    project = make_project()
    ada = make_member(project, "admin")
    added = members.add(project, "mia", "labeler", by=ada, base_url="")
    members.new_link(added.membership, by=ada, base_url="")
    rows = set(AuditEvent.objects.values_list("user", "subject"))
    assert rows == {(ada.pk, "mia")} and AuditEvent.objects.count() == 5


def test_somebody_who_was_removed_meanwhile_gets_no_role():
    project = make_project()
    ada, mia = make_member(project, "admin"), make_member(project)
    seen_by_one, seen_by_other = (Membership.objects.get(project=project, user=mia) for _ in range(2))
    members.remove(seen_by_one, by=ada)
    with pytest.raises(members.MembershipRefused, match="in the meantime"):
        members.change_role(seen_by_other, "admin", by=ada)
