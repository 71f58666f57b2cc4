"""The demo's steps, one by one, each twice."""

import subprocess
import sys

import pytest
from django.conf import settings
from django.utils.timezone import now

from annotate.accounts import first_admin
from annotate.models import AuditEvent, Project, Prompt
from config import demo
from training import lifecycle
from training.models import Job, Policy

pytestmark = pytest.mark.django_db


def test_the_project_is_made_once_with_24_different_prompts():
    assert demo.make_project(first_admin())
    assert not demo.make_project(first_admin())
    prompts = Prompt.objects.filter(project__slug="demo")
    assert prompts.count() == 24
    assert len({str(prompt.messages) for prompt in prompts}) == 24
    assert max(len(prompt.messages) for prompt in prompts) == 3
    assert Project.objects.get(slug="demo").current_guidelines().version == 1
    assert AuditEvent.objects.get(action="project.create").subject == "demo"


def test_the_examples_of_the_docs_name_what_the_demo_has():
    examples = (settings.ROOT / "docs/jobs.md").read_text()
    assert f'--project {demo.SLUG} --set policy="{demo.POLICY}"' in examples


def test_with_the_policy_there_the_answers_are_asked_for_once():
    admin, said = first_admin(), []
    demo.make_project(admin)
    Policy.objects.create(name=demo.POLICY, folder="jobs/0/output/model")
    demo.make_answers(admin, said.append)
    demo.make_answers(admin, said.append)
    job = Job.objects.get()
    assert (job.kind, job.spec["answers"], job.inputs["for_ranking"]) == ("sample", 4, True)
    assert len(said) == 1


def test_a_failed_sampling_is_tried_again_and_a_cancelled_one_is_not():
    admin = first_admin()
    demo.make_project(admin)
    Policy.objects.create(name=demo.POLICY, folder="jobs/0/output/model")
    demo.make_answers(admin, print)
    Job.objects.update(state=Job.State.FAILED)
    demo.make_answers(admin, print)
    assert Job.objects.count() == 2
    Job.objects.update(state=Job.State.CANCELLED)
    demo.make_answers(admin, print)
    assert Job.objects.count() == 2


def test_what_a_person_samples_in_the_demo_project_is_not_taken_for_the_demo_s_job():
    admin = first_admin()
    demo.make_project(admin)
    policy = Policy.objects.create(name=demo.POLICY, folder="jobs/0/output/model")
    failed = demo.make_answers(admin, print)
    Job.objects.update(state=Job.State.FAILED)
    for drawn_so, what in (({"answers": 3}, failed.inputs), (demo.SETTINGS, {"policy": policy.pk, "count": 2})):
        lifecycle.launch(kind="sample", project=failed.project, user=admin, settings=drawn_so, inputs=what)
    again = demo.make_answers(admin, print)
    assert again == Job.objects.latest("pk") and Job.objects.count() == 4
    assert demo.make_answers(admin, print) == again


def test_the_last_answer_is_told_of_once_and_so_is_a_failure():
    admin, said = first_admin(), []
    demo.make_project(admin)
    Policy.objects.create(name=demo.POLICY, folder="jobs/0/output/model")
    job = demo.make_answers(admin, print)
    Job.objects.update(state=Job.State.SUCCEEDED, finished_at=now())
    demo.await_answers(job, said.append)
    demo.await_answers(demo.make_answers(admin, said.append), said.append)
    assert said == ["All 0 answers of the demo are in."]
    job.state = Job.State.RUNNING
    Job.objects.update(state=Job.State.FAILED)
    with pytest.raises(demo.DemoFailed, match=f"not all drawn. See job {job.pk}; the next start tries again"):
        demo.await_answers(job, said.append)


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def test_a_cancelled_conversion_is_tried_again_since_nothing_answers_without_it(no_network):
    admin = first_admin()
    demo.make_project(admin)
    Job.objects.create(kind="convert", state=Job.State.CANCELLED, inputs={"name": demo.POLICY}, finished_at=now())
    with pytest.raises(demo.DemoFailed, match="could not be fetched"):
        demo.make_answers(admin, print)


def test_without_a_network_it_says_so_and_what_to_do(no_network):
    admin = first_admin()
    demo.make_project(admin)
    with pytest.raises(demo.DemoFailed, match=r"could not be fetched: .*start again"):
        demo.make_answers(admin, print)
    assert not Job.objects.exists()
    assert list((settings.HOME / "downloads").iterdir()) == []


def test_the_web_process_starts_without_torch():
    code = "import config.wsgi, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=settings.ROOT).returncode == 0
