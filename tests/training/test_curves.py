import pytest

from tests import factories
from tests.training.learned import make_job, make_metrics
from tests.training.pages import client_of, text_of
from training import curves

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def client(project):
    return client_of(factories.make_member(project, "researcher"))


def test_curves_stand_in_tables_under_their_latest_value(client, project):
    job = make_job(project, kind="reward", state="running")
    make_metrics(job, "loss", 3, lambda step: 0.7 - step / 10)
    make_metrics(job, "heldout_accuracy", 2, lambda step: 0.6 + step / 100)
    text = text_of(client.get(f"/jobs/{job.pk}"))
    assert text.index("Loss (training)") < text.index("Accuracy on held-out prompts")
    assert "62.0 %" in text and 'id="curve-loss"' in text


def test_a_long_curve_is_thinned_and_keeps_its_last_point(project):
    job = make_job(project)
    make_metrics(job, "loss", 1001)
    make_metrics(job, "short", 3)
    drawn = {curve.name: curve for curve in curves.drawn(job)}
    assert len(drawn["loss"].points) == curves.POINTS_DRAWN
    assert drawn["loss"].points[-1] == (1001, 100.1)
    assert [step for step, _ in drawn["short"].points] == [1, 2, 3]


def test_the_numbers_come_as_json_past_a_step(client, project):
    job = make_job(project, state="running")
    make_metrics(job, "loss", 5)
    answer = client.get(f"/jobs/{job.pk}/metrics.json", {"after": 3}).json()
    assert answer == {"state": "running", "finished": False, "attempt": 1, "series": {"loss": [[4, 0.4], [5, 0.5]]}}


def test_a_step_is_never_cut_in_two_by_the_most_points_that_are_sent(project, monkeypatch):
    monkeypatch.setattr(curves, "POINTS_SENT", 3)
    job = make_job(project)
    make_metrics(job, "loss", 3)
    make_metrics(job, "speed", 3)
    assert curves.points_after(job, -1) == {"loss": [(1, 0.1)], "speed": [(1, 0.1)]}
    monkeypatch.setattr(curves, "POINTS_SENT", 1)
    assert curves.points_after(job, 1) == {"loss": [(2, 0.2)], "speed": [(2, 0.2)]}


@pytest.mark.parametrize("after", ["x", "1e3", "--1", "", "9" * 30])
def test_nonsense_instead_of_a_step_is_refused(client, project, after):
    assert client.get(f"/jobs/{make_job(project).pk}/metrics.json", {"after": after}).status_code == 400
