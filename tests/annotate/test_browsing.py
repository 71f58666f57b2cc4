"""Lists with filters: what each finds, how far a page looks, and what the search covers."""

from datetime import UTC, datetime

import pytest
from django.test import RequestFactory
from django.urls import reverse

from annotate import paging, searching
from annotate.models import Answer, Comparison, Prompt, Ranking
from tests.factories import (
    make_answers,
    make_batch,
    make_guidelines,
    make_import,
    make_labeler,
    make_member,
    make_project,
    make_prompt,
    make_ranking,
    make_task,
    undo_last,
    user_says,
)

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def project(client):
    project = make_project("help")
    client.force_login(make_member(project, "researcher"))
    return project


@pytest.fixture
def browse(client):
    def browse(page, **query):
        return client.get(reverse(page, args=["help"]), query)

    return browse


def rows(response):
    return list(response.context["page"].rows)


# What the filters find


@pytest.fixture
def prompts(project):
    def make(text, **fields):
        return make_prompt(project, text, **fields)

    file = make_import(project, "prompts")
    found = {"bare": make("bare"), "test": make("test", split="ood_test"), "filed": make("filed", origin=file)}
    found["answered"] = make("answered")
    make_answers(found["answered"], ["yes"])
    found["written"] = make("written")
    make_answers(found["written"], ["by hand"], make_batch(project, source="people"))
    found["ranked"] = make_ranking(make_task(answers=make_answers(make("ranked")))).task.prompt
    undone = make_ranking(make_task(answers=make_answers(make("undone"))))
    undo_last(undone.labeler, datetime.now(UTC))
    return found | {"undone": undone.task.prompt}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"split": "ood_test"}, "test"),
        ({"has": "answers"}, "undone ranked written answered"),
        ({"has": "no_answers"}, "filed test bare"),
        ({"has": "rankings"}, "ranked"),
        ({"has": "no_rankings"}, "undone written answered filed test bare"),
        ({"has": "demonstrations"}, "written"),
        ({"has": "no_answers", "split": "train"}, "filed bare"),
        ({"has": "nonsense", "split": "nonsense"}, ""),
    ],
)
def test_prompts_are_found_by_what_they_have(prompts, browse, query, names):
    assert rows(browse("prompts", **query)) == [prompts[name] for name in names.split()]


def test_prompts_are_found_by_the_file_that_brought_them(prompts, browse):
    assert rows(browse("prompts", file=prompts["filed"].origin_id)) == [prompts["filed"]]


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ({"source": "sft"}, {"long", ""}),
        ({"source": "gpt"}, {"other", "more"}),
        ({"finish": "length"}, {"long"}),
        ({"finish": "none"}, {"", "other", "more"}),
        ({"text": "empty"}, {""}),
        ({"text": "some", "source": "sft"}, {"long"}),
        ({"split": "id_test"}, {"more"}),
        ({"split": "id_test", "source": "sft"}, set()),
    ],
)
def test_answers_are_found_by_where_they_come_from_and_how_they_ended(project, browse, query, texts):
    make_answers(make_prompt(project), ["long", ""], make_batch(project, "sft"))
    make_answers(make_prompt(project), ["other"], make_batch(project, "gpt"))
    make_answers(make_prompt(project, split="id_test"), ["more"], make_batch(project, "gpt"))
    Answer.objects.filter(text="long").update(finish_reason="length")
    make_answers(make_prompt(), ["of another project"], make_batch(make_project(), "sft"))
    assert {answer.text for answer in rows(browse("answers", **query))} == texts


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"state": "standing"}, "flagged filed surplus old"),
        ({"state": "withdrawn"}, "undone"),
        ({"state": "surplus"}, "surplus"),
        ({"flags": "flagged"}, "flagged"),
        ({"flags": "contradicted"}, "flagged"),
        ({"flags": "none"}, "filed undone surplus old"),
        ({"flags": "equal_texts"}, "filed"),
        ({"came": "file"}, "filed"),
        ({"came": "desk"}, "flagged undone surplus old"),
        ({"guidelines": "1"}, "flagged"),
        ({"guidelines": "none"}, "filed undone surplus old"),
        ({"until": "2024-05-01"}, "old"),
        ({"since": "2024-05-01", "until": "2024-05-01"}, "old"),
        ({"since": "2024-05-02"}, "flagged filed undone surplus"),
        ({"since": "0001-01-01", "until": "9999-12-31"}, ""),
        ({"split": "id_test"}, "old"),
    ],
)
def test_rankings_are_found_by_what_became_of_them(project, browse, query, names):
    def make(**fields):
        task = make_task(answers=make_answers(make_prompt(project, split=fields.pop("split", "train"))))
        ranking = make_ranking(task)
        Ranking.objects.filter(pk=ranking.pk).update(**fields)
        return ranking

    found = {"old": make(created_at=LONG_AGO, split="id_test"), "surplus": make(surplus=True), "undone": make()}
    undo_last(found["undone"].labeler, datetime.now(UTC))
    found["filed"] = make(origin=make_import(project))
    found["filed"].task.flags = ["equal_texts"]
    found["filed"].task.save()
    make_guidelines(project)
    found["flagged"] = make(flags=["contradicted"])
    assert rows(browse("rankings", **query)) == [found[name] for name in names.split()]
    assert rows(browse("rankings", came=project.imports.get().pk)) == [found["filed"]]


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ({"outcome": "tie"}, {"ab=a"}),
        ({"outcome": "won"}, {"abc>ab", "a>abc", "a>ab"}),
        ({"longer": "longer"}, {"abc>ab"}),
        ({"longer": "shorter"}, {"a>abc", "a>ab"}),
        ({"kind": "judged"}, {"a>ab"}),
        ({"chosen_source": "gpt"}, {"abc>ab"}),
        ({"rejected_source": "gpt"}, {"a>abc"}),
        ({"chosen_source": "sft", "kind": "implied", "outcome": "won"}, {"a>abc"}),
        ({"split": "id_test"}, set()),
    ],
)
def test_comparisons_are_found_by_who_won_and_how(project, browse, query, pairs):
    prompt, sft = make_prompt(project), make_batch(project, "sft")
    two, one = make_answers(prompt, ["ab", "a"], sft)
    (three,) = make_answers(prompt, ["abc"], make_batch(project, "gpt"))
    ranking = make_ranking(make_task(answers=[two, one, three]))
    ranking.comparisons.all().delete()
    for kind, chosen, rejected in (("implied", three, two), ("implied", one, three), ("judged", one, two)):
        Comparison.objects.create(ranking=ranking, prompt=prompt, kind=kind, chosen=chosen, rejected=rejected)
    Comparison.objects.create(ranking=ranking, prompt=prompt, chosen=two, rejected=one, tie=True)
    found = rows(browse("comparisons", **query))
    assert {f"{one.chosen_opening}{'=' if one.tie else '>'}{one.rejected_opening}" for one in found} == pairs


def test_comparisons_of_one_labeler_are_found(project, browse):
    wanted, _ = make_ranking(labeler=make_labeler(project)), make_ranking(labeler=make_labeler(project))
    found = rows(browse("comparisons", labeler=wanted.labeler.pseudonym))
    assert {one.ranking for one in found} == {wanted} and len(found) == 3


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        ("comparisons", {"labeler": "nobody"}, "Nobody in this project has this pseudonym."),
        ("rankings", {"labeler": "nobody"}, "Nobody in this project has this pseudonym."),
        ("rankings", {"since": "nonsense"}, "Enter a valid date."),
        ("prompts", {"q": "x" * 201}, "at most 200 characters"),
    ],
)
def test_a_filter_that_cannot_be_meant_says_so_and_shows_nothing(project, browse, name, query, said):
    make_ranking(labeler=make_labeler(project))
    response = browse(name, **query)
    assert response.status_code == 422 and said in response.content.decode()
    assert rows(response) == [] and 'aria-invalid="true"' in response.content.decode()


def test_a_key_that_no_row_can_have_is_not_found(project, browse):
    assert browse("prompts", before="9" * 5000).status_code == 404


# How a page says what it shows


def test_each_filter_that_is_on_can_be_taken_off_alone(project, browse):
    page = browse("prompts", q="bread", split="train", before=7)
    chips = {chip.label: (chip.value, chip.without) for chip in page.context["filters"].chips}
    assert chips == {"Search": ("bread", "?split=train"), "Split": ("Training", "?q=bread")}
    assert b"Nothing matches" in page.content and b"No prompts yet" not in page.content


@pytest.mark.parametrize("page", ["prompts", "answers", "rankings", "comparisons"])
def test_a_list_that_never_had_a_row_says_what_will_stand_there(project, browse, page):
    assert f"No {page} yet" in browse(page).content.decode()


def test_all_rows_are_counted_where_they_are_few_and_never_where_they_are_many(project, browse, monkeypatch):
    for _ in range(4):
        make_prompt(project)
    monkeypatch.setattr(paging, "MOST_COUNTED", 3)
    assert rows(browse("prompts")) and browse("prompts").context["page"].count == 4
    request = RequestFactory().get("/")
    few = paging.sought_page(project.prompts.all(), project.prompts.all(), project.prompts.all(), request, size=2)
    assert (few.count, few.has_many) == (4, True)


def test_a_reviewer_may_not_tell_answers_apart_by_their_source(project, client, browse):
    client.force_login(make_member(project, "reviewer"))
    answers = make_answers(make_prompt(project), ["one"], make_batch(project, "secret-policy"))
    make_answers(make_prompt(project), ["two"], make_batch(project, "other-policy"))
    assert len(rows(browse("answers", source="secret-policy"))) == 2
    page = client.get(reverse("answer", args=["help", answers[0].pk])).content
    assert b"secret-policy" not in page + browse("answers").content + browse("comparisons").content


def test_the_page_of_an_answer_tells_how_it_fared(project, client):
    task = make_task(project, rankings_wanted=2)
    make_ranking(task, ranks=(1, 2, 2))
    undone = make_ranking(task, ranks=(3, 2, 1))
    undo_last(undone.labeler, datetime.now(UTC))
    best, middle, _ = (row.answer_id for row in task.task_answers.all())
    told = client.get(reverse("answer", args=["help", best])).context
    assert (told["n_won"], told["n_lost"], told["n_tied"]) == (2, 0, 0)
    assert [(ranking.pk, rank) for ranking, rank in told["rankings"]][0] == (undone.pk, 3)
    told = client.get(reverse("answer", args=["help", middle])).context
    assert (told["n_won"], told["n_lost"], told["n_tied"]) == (0, 1, 1)


def test_what_a_model_wrote_is_inert_in_every_list(project, browse, client):
    attack = "<script>alert(1)</script>"
    ranking = make_ranking(make_task(answers=make_answers(make_prompt(project, attack), [attack, "b", "c"])))
    answer = ranking.task.task_answers.first().answer_id
    pages = [browse(page) for page in ("prompts", "answers", "rankings", "comparisons")]
    for page in [*pages, client.get(reverse("answer", args=["help", answer]))]:
        assert attack not in page.content.decode() and "&lt;script&gt;" in page.content.decode()


# How far a page looks


def slow(prompts):
    """With a condition that takes 10 ms a row and holds for every tenth prompt only."""
    return prompts.extra(where=["right(external_id, 1) = '0' AND pg_sleep(0.01)::text = ''"])


def walk(project, query, key):
    """All pages one after the other: their rows, and how many looked through a part only."""
    found, partial = [], 0
    while True:
        request = RequestFactory().get("/", query)
        page = paging.sought_page(project.prompts.all(), slow(project.prompts.all()), project.prompts.all(), request)
        found.append([int(prompt.external_id) for prompt in page.rows])
        partial += page.is_partial
        following = page.older if key == "before" else page.newer
        if following is None:
            return found, partial
        query = {key: following}


def test_a_page_looks_through_a_part_of_a_long_list_and_the_next_goes_on_from_there(project, monkeypatch):
    for number in range(100):
        make_prompt(project, external_id=str(number))
    monkeypatch.setattr(paging, "WINDOW", 35)
    monkeypatch.setattr(paging, "WALK_MS", 0)
    found, partial = walk(project, {}, "before")
    assert sum(found, []) == [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]
    assert found[0] == [90, 80, 70] and partial == 2
    back, partial = walk(project, {"after": 1}, "after")
    assert sorted(sum(back, [])) == list(range(0 if min(sum(back, [])) == 0 else 10, 100, 10)) and partial >= 1


def test_a_limit_of_time_ends_with_the_query_that_it_is_for(project):
    make_prompt(project)
    request = RequestFactory().get("/")
    paging.sought_page(project.prompts.all(), project.prompts.filter(split="train"), project.prompts.all(), request)
    assert list(Prompt.objects.extra(where=["pg_sleep(0.05) IS NOT NULL"])) != []


# What the search covers


def test_words_are_made_later_and_the_page_says_what_is_not_covered_yet(project, browse):
    make_prompt(project, "My bread is dense")
    page = browse("prompts", q="bread")
    assert rows(page) == [] and b"Search covers all but the newest 1 prompts" in page.content
    assert searching.catch_up(5) == 1
    page = browse("prompts", q="bread")
    assert len(rows(page)) == 1 and b"Search covers" not in page.content


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("bread", True),
        ("bre", True),
        ("dense bread", True),
        ('"dense bread"', False),
        ('"bread is dense"', True),
        ("bread -dense", False),
        ("cake or bread", True),
        ("cake", False),
        ("br", False),
        ("'", False),
        ("bread & | ! <-> :*", True),
        ("___", False),
        ("bread\x00", False),
    ],
)
def test_a_search_is_written_as_for_a_search_engine(project, browse, query, found):
    make_answers(make_prompt(project), ["My bread is dense"])
    searching.catch_up(5)
    assert bool(rows(browse("answers", q=query))) is found


def test_a_text_too_long_for_postgres_is_searched_by_its_beginning(project, browse):
    words = " ".join(f"w{number}" for number in range(300_000))
    make_answers(make_prompt(project), [words])
    prompt = make_prompt(project, messages=[user_says("first"), user_says(words)])
    assert searching.catch_up(30) == 3
    assert len(rows(browse("answers", q="w17"))) == 1
    assert rows(browse("prompts", q="first w17")) == [prompt]


def test_lists_and_related_rows_leave_the_search_vector_in_the_database(project):
    (answer,) = make_answers(make_prompt(project), ["text"])
    fresh = Answer.objects.get(pk=answer.pk)
    assert fresh.get_deferred_fields() == {"words"} and fresh.prompt.get_deferred_fields() == {"words"}
    assert project.prompts.get().get_deferred_fields() == {"words"}


# The project of rows that have it from another row


def test_the_project_of_a_row_follows_from_the_row_that_it_belongs_to(project):
    ranking = make_ranking(make_task(project))
    for model in (Answer, Ranking, Comparison):
        assert set(model.objects.values_list("project", flat=True)) == {project.pk}
        model.objects.update(project=None)
        assert set(model.objects.values_list("project", flat=True)) == {project.pk}
    assert ranking.project_id is None
