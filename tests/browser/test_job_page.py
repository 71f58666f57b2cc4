"""Pages that look again by themselves: what was opened or ticked stays, curves go on, cancelling asks first."""

import pytest
from django.utils.timezone import now
from playwright.sync_api import expect

from tests import factories
from tests.training.learned import make_job, make_sampling
from training.models import Job, Metric

pytestmark = pytest.mark.django_db(transaction=True)

WRITTEN = """
    const [write, written] = [CanvasRenderingContext2D.prototype.fillText, (window.written = [])];
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        written.push(text);
        return write.call(this, text, ...rest);
    };
"""
"""Keeps what a page writes onto its drawings."""


@pytest.fixture
def project(sign_in):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    return project


def report(job, steps):
    Metric.objects.bulk_create(Metric(job=job, name="loss", step=n, value=1 / n, attempt=1) for n in steps)


@pytest.fixture
def job(project):
    job = make_job(project, kind="reward", state="running")
    report(job, range(1, 5))
    return job


def test_a_running_job_is_followed_and_what_was_opened_stays_open(page, job):
    page.goto(f"/jobs/{job.pk}")
    figure = page.locator("#curve-loss")
    expect(figure.locator("canvas")).to_be_visible()
    figure.locator("summary").click()
    rows = figure.locator(".table-wrap tbody tr")
    expect(rows).to_have_count(4)
    report(job, range(5, 9))
    expect(rows).to_have_count(8)
    expect(figure.locator("details")).to_have_attribute("open", "")
    expect(figure.locator("canvas")).to_be_visible()


def test_the_axis_of_a_tiny_learning_rate_tells_its_numbers_apart(page, project):
    job = make_job(project, kind="reward", state="running")
    values = (0, 1e-5, 2.5e-5, 4e-5)
    Metric.objects.bulk_create(
        Metric(job=job, name="learning_rate", step=n, value=value, attempt=1) for n, value in enumerate(values)
    )
    page.add_init_script(WRITTEN)
    page.goto(f"/jobs/{job.pk}")
    expect(page.locator("#curve-learning_rate canvas")).to_be_visible()
    page.wait_for_function("['2e-5', '4e-5'].every((label) => window.written.includes(label))")


def test_an_axis_of_steps_has_whole_steps(page, project):
    job = make_job(project, kind="reward", state="running")
    report(job, range(1, 4))
    page.add_init_script(WRITTEN)
    page.goto(f"/jobs/{job.pk}")
    expect(page.locator("#curve-loss canvas")).to_be_visible()
    page.wait_for_timeout(500)
    written = set(page.evaluate("window.written"))
    assert {text for text in written if float(text) > 1} == {"2", "3"}  # no loss is greater than 1


def test_nothing_touches_and_nothing_gapes_around_the_numbers_of_a_job(page, project):
    measured = {"winner_score": 1.25, "best_of": [0.1, 0.75, 1.25], "answers": 6}
    job = make_job(project, kind="best_of_n", state="succeeded", progress={"results": measured})
    report(job, range(1, 5))
    page.goto(f"/jobs/{job.pk}")
    axis = page.locator("#curve-loss .u-axis").first.bounding_box()
    numbers = page.locator("#curve-loss summary").bounding_box()
    assert axis["height"] < 30 and numbers["y"] - (axis["y"] + axis["height"]) < 20
    table = page.locator(".numbers-under").first.bounding_box()
    facts = page.locator(".numbers-under + .facts").bounding_box()
    assert facts["y"] - (table["y"] + table["height"]) > 10


def test_a_finished_job_is_asked_for_no_more(page, job):
    page.goto(f"/jobs/{job.pk}")
    Job.objects.filter(pk=job.pk).update(state="succeeded", finished_at=now())
    expect(page.locator(".state-line .state")).to_have_text("Done")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3000)  # it looked again every two seconds
    assert asked == []


def test_cancelling_asks_first(page, project):
    job = make_job(project)
    page.goto(f"/jobs/{job.pk}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Go back").click()
    job.refresh_from_db()
    assert job.state == "queued"
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Yes, do it").click()
    expect(page.locator(".state-line .state")).to_have_text("Cancelled")


def test_a_question_that_follows_another_at_once_still_gets_its_answer(page, project):
    job = make_job(project)
    page.goto(f"/jobs/{job.pk}")
    page.evaluate(
        """() => {
          const cancel = document.querySelector("[data-confirm] button");
          const question = document.getElementById("confirm");
          cancel.click();
          question.close();
          cancel.click();
        }"""
    )
    page.get_by_role("button", name="Yes, do it").click()
    expect(page.locator(".state-line .state")).to_have_text("Cancelled")


def test_a_running_job_is_cancelled_also_when_the_page_looked_again_meanwhile(page, project):
    job = make_job(project, state="running")
    page.goto(f"/jobs/{job.pk}")
    page.get_by_role("button", name="Cancel").click()
    page.evaluate("document.getElementById('job').dataset.old = 'yes'")
    expect(page.locator("#job:not([data-old])")).to_be_attached()  # replaced under the question, with its form
    page.get_by_role("button", name="Yes, do it").click()
    expect(page.get_by_text("It was asked to stop, and saves what it has.")).to_be_visible()
    job.refresh_from_db()
    assert job.cancel_requested


def test_a_ticked_batch_stays_ticked_while_the_project_page_looks_again(page, project):
    batch = make_sampling(project, make_job(project, state="running"))
    page.goto("/projects/bread/")
    page.locator(f"#batch-{batch.pk}").check()
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true"):
        pass
    make_sampling(project, make_job(project, state="running"))
    expect(page.locator("#batches tbody tr")).to_have_count(2)
    expect(page.locator(f"#batch-{batch.pk}")).to_be_checked()


@pytest.mark.parametrize("path", ["/", "/projects/bread/", "/jobs/", "/projects/bread/train", "/policies/"])
def test_nothing_is_wider_than_a_phone(page, project, job, path):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
