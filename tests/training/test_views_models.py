from datetime import UTC, datetime

import pytest
from django.test import Client

from annotate.models import AnswerBatch
from rewards.models import Score
from tests import factories
from tests.training.learned import make_job, make_policy, make_reward_model, make_sampling
from training.models import Sampling

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project("bread", name="Bread")


@pytest.fixture
def client(project):
    return client_of(factories.make_member(project, "researcher"))


def client_of(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(("role", "status"), [("labeler", 403), ("reviewer", 403), ("researcher", 200), ("admin", 200)])
def test_a_reward_model_is_for_researchers_of_its_project(project, role, status):
    model = make_reward_model(project)
    assert client_of(factories.make_member(project, role)).get(f"/reward-models/{model.pk}").status_code == status


def test_a_reward_model_of_another_project_is_404_and_not_listed(client):
    model = make_reward_model(factories.make_project(), "foreign-model")
    assert client.get(f"/reward-models/{model.pk}").status_code == 404
    assert "foreign-model" not in text_of(client.get("/reward-models/"))


def test_the_accuracy_comes_with_its_interval_in_words_and_as_a_picture(client, project):
    tested = {"accuracy": 0.694, "accuracy_low": 0.663, "accuracy_high": 0.725, "log_loss": 0.581}
    model = make_reward_model(project, **tested, metrics={"heldout_roots": 20})
    text = text_of(client.get(f"/reward-models/{model.pk}"))
    assert "69.4 %" in text and "95 % interval 66.3 % to 72.5 %" in text and "0.581" in text
    assert "more often than guessing would" in text
    assert "<title" in text and "guessing gives 50 %" in text and "style=" not in text


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.45, 0.7, "do not tell it from guessing"), (0.2, 0.4, "do not use it"), (None, None, "was not measured")],
)
def test_the_page_says_only_what_the_interval_allows(client, project, low, high, words):
    tested = {"accuracy": 0.55, "accuracy_low": low, "accuracy_high": high}
    model = make_reward_model(project, **tested, metrics={"heldout_roots": 20})
    assert words in text_of(client.get(f"/reward-models/{model.pk}"))


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.9), (1.0, 1.0), (0.1, 0.4)])
def test_on_few_conversations_no_interval_is_called_better_or_worse_than_guessing(client, project, low, high):
    tested = {"accuracy": high, "accuracy_low": low, "accuracy_high": high}
    model = make_reward_model(project, **tested, metrics={"heldout_pairs": 48, "heldout_roots": 8})
    text = text_of(client.get(f"/reward-models/{model.pk}"))
    assert "Too few held-out conversations to tell it from guessing (8; 20 or more are needed)" in text
    assert "more often than guessing would" not in text and "do not use it" not in text


def test_a_reward_model_without_a_test_says_so(client, project):
    text = text_of(client.get(f"/reward-models/{make_reward_model(project).pk}"))
    assert "no conversation was held out" in text and "It has scored no answers yet" in text


def test_scores_are_drawn_with_their_numbers_under_them(client, project):
    model = make_reward_model(project)
    batch = make_sampling(project, make_job(project, state="succeeded"), texts=("a", "b", "c"))
    for answer, value in zip(batch.answers.order_by("index"), (-1.0, 0.0, 4.0), strict=True):
        Score.objects.create(reward_model=model, answer=answer, value=value)
    text = text_of(client.get(f"/reward-models/{model.pk}"))
    assert "Rewards of 3 answers, +1.00 on average" in text
    assert text.count('<rect class="bar"') == 3


def test_the_page_leads_to_the_policy_the_job_and_the_project(client, project):
    policy = make_policy("small")
    model = make_reward_model(project, policy=policy)
    text = text_of(client.get(f"/reward-models/{model.pk}"))
    for href in (f"/policies/{policy.pk}", f"/jobs/{model.fitting.job_id}", "/projects/bread/"):
        assert f'href="{href}"' in text
    assert model.snapshot.short_hash in text and "best-of-n?reward_model=" in text


def test_the_list_of_reward_models_costs_the_same_for_many(client, project, django_assert_max_num_queries):
    make_reward_model(project)
    with django_assert_max_num_queries(15) as few:
        client.get("/reward-models/")
    for _ in range(10):
        make_reward_model(project)
    with django_assert_max_num_queries(len(few)):
        client.get("/reward-models/")


def test_an_empty_list_says_what_comes_first(client):
    assert "No reward model yet" in text_of(client.get("/reward-models/"))
    assert "No policy yet" in text_of(client.get("/policies/"))


def test_the_list_of_policies_says_what_they_are(client):
    base = make_policy("small", details={"architecture": "LlamaForCausalLM", "parameters": 134515008})
    make_policy("small-better", base=base)
    text = text_of(client.get("/policies/"))
    for words in ("small-better", "LlamaForCausalLM", "135 M", f'href="/policies/{base.pk}"'):
        assert words in text
    assert "/policies/add" not in text


def test_only_an_installation_admin_is_offered_to_add_a_policy(project):
    root = client_of(factories.make_user(admin=True))
    assert "/policies/add" in text_of(root.get("/policies/"))


def test_a_policy_shows_its_base_its_descendants_and_what_was_made_from_it(client, project):
    base = make_policy("base")
    policy = make_policy("middle", base=base, details={"source": "m.gguf", "parameters": 1000})
    child = make_policy("child", base=policy)
    model = make_reward_model(project, policy=policy)
    text = text_of(client.get(f"/policies/{policy.pk}"))
    for href in (f"/policies/{base.pk}", f"/policies/{child.pk}", f"/reward-models/{model.pk}"):
        assert f'href="{href}"' in text
    assert "m.gguf" in text and "1,000" in text


def test_batches_of_one_name_are_told_apart_by_their_time_and_size(client, project):
    model = make_reward_model(project)
    job = make_job(project, state="succeeded")
    for hour, texts in ((9, ("a", "b")), (14, ("a", "b", "c"))):
        batch = make_sampling(project, job, texts, reward_model=model)
        Sampling.objects.filter(batch=batch).update(policy=model.fitting.base_policy)
        AnswerBatch.objects.filter(pk=batch.pk).update(name="tiny", created_at=datetime(2026, 11, 24, hour, tzinfo=UTC))
    for path in (f"/policies/{model.fitting.base_policy_id}", f"/reward-models/{model.pk}"):
        text = text_of(client.get(path))
        assert "tiny, 24 Nov 2026 09:00<" in text and "tiny, 24 Nov 2026 14:00<" in text
        assert ">2 answers<" in text and ">3 answers<" in text
    offered = text_of(client.get(f"/reward-models/{model.pk}/score"))
    assert "tiny, 24 Nov 2026 09:00, 2 answers" in offered and "tiny, 24 Nov 2026 14:00, 3 answers" in offered
    assert "24 Nov 2026, 09:00" in text_of(client.get("/projects/bread/"))


def test_a_policy_tells_nothing_of_projects_that_are_not_ones_own(client):
    policy = make_policy()
    make_reward_model(factories.make_project(), "foreign-model", policy=policy)
    text = text_of(client.get(f"/policies/{policy.pk}"))
    assert "foreign-model" not in text


def test_the_folder_of_a_policy_is_an_installation_admins_to_see(client):
    policy = make_policy()
    assert policy.folder not in text_of(client.get(f"/policies/{policy.pk}"))
    assert policy.folder in text_of(client_of(factories.make_user(admin=True)).get(f"/policies/{policy.pk}"))


def test_a_policy_that_is_not_there_is_404(client):
    assert client.get("/policies/999").status_code == 404
