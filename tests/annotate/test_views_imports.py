"""Files of prompts and answers, uploaded on a page."""

import gzip
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from annotate import forms
from annotate.models import Answer, Import, Prompt, Ranking, RankingTask
from annotate.views import imports as views
from tests.factories import make_import, make_member, make_project

pytestmark = pytest.mark.django_db
XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture
def project(client):
    project = make_project("help")
    client.force_login(make_member(project, "researcher"))
    return project


def jsonl(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def upload(client, content, page="import_prompts", name="rows.jsonl", headers=None, **fields):
    form = {"file": SimpleUploadedFile(name, content), **fields}
    return client.post(reverse(page, args=["help"]), form, headers=headers)


def test_the_page_says_what_a_file_may_hold(client, project):
    for page in ("import_prompts", "import_answers", "import_rankings"):
        response = client.get(reverse(page, args=["help"]))
        assert response.status_code == 200 and b"What a file holds" in response.content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", jsonl({"prompt": "One?"}, {"prompt": "Two?"})),
        ("rows.jsonl.gz", gzip.compress(jsonl({"prompt": "One?"}, {"prompt": "Two?"}))),
        ("rows.csv", b"prompt\nOne?\nTwo?\n"),
    ],
)
def test_a_file_of_prompts_is_stored_and_told_of(client, project, name, content):
    response = upload(client, content, name=name, split="id_test")
    assert response.status_code == 200
    assert response.context["report"].created == 2
    assert set(project.prompts.values_list("split", flat=True)) == {"id_test"}
    assert b"New prompts" in response.content


def test_importing_a_file_twice_changes_nothing_and_says_so(client, project):
    content = jsonl({"prompt": "One?"})
    upload(client, content)
    response = upload(client, content)
    assert (response.context["report"].created, response.context["report"].unchanged) == (0, 1)
    assert b"nothing new" in response.content
    assert project.prompts.count() == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (jsonl({"prompt": "fine"}) + b'{"prompt": \n', "Line 2"),
        (jsonl({"prompt": "fine"}, {"prompt": [{"role": "assistant", "content": "x"}]}), "user message"),
        (jsonl({"question": "x"}), "no prompt"),
        (b"\xff\xfe", "Line 1"),
        (b"", "This file is empty"),
        (b"\n", "rows.jsonl holds no row"),
    ],
)
def test_a_mistake_names_its_line_and_stores_nothing(client, project, content, said):
    response = upload(client, content)
    assert response.status_code == 422
    mistake, what_to_do = response.context["form"].errors["file"]
    assert said in mistake and mistake.endswith("Nothing was stored.")
    assert what_to_do == views.CHOOSE_AGAIN
    assert not Prompt.objects.exists()


def test_the_same_prompts_under_another_split_are_refused(client, project):
    content = jsonl({"prompt": "One?"})
    upload(client, content, split="train")
    assert upload(client, content, split="ood_test").status_code == 422
    assert project.prompts.get().split == "train"


def test_an_unknown_split_and_an_empty_file_are_refused(client, project):
    assert upload(client, jsonl({"prompt": "One?"}), split="validation").status_code == 422
    assert upload(client, b"").status_code == 422
    assert not Prompt.objects.exists()


def test_a_missing_file_is_refused(client, project):
    assert client.post(reverse("import_prompts", args=["help"]), {"split": ""}).status_code == 422


def test_a_file_past_the_limit_is_sent_to_the_command_line(client, project, monkeypatch):
    monkeypatch.setattr(forms.ImportForm, "largest", 10)
    response = upload(client, jsonl({"prompt": "One?"}))
    assert response.status_code == 422
    assert "manage.py" in response.context["form"].errors["file"][0]


def test_a_small_file_that_unpacks_past_the_limit_is_refused(client, project, monkeypatch):
    monkeypatch.setattr(forms.ImportForm, "largest", 1 << 20)
    response = upload(client, gzip.compress(b"\n" * (2 << 20)))
    assert response.status_code == 422
    assert "unpacks to more than 1 MiB" in response.context["form"].errors["file"][0]


def test_what_a_file_says_is_shown_inert(client, project):
    response = upload(client, jsonl({XSS: "x"}), name=f"{XSS}.jsonl")
    assert response.status_code == 422 and XSS.encode() not in response.content
    response = upload(client, jsonl({"prompt": "fine", "split": XSS}))
    assert response.status_code == 422 and XSS.encode() not in response.content


def test_htmx_gets_the_partial_with_the_mistake(client, project):
    response = upload(client, b"{", headers={"HX-Request": "true"})
    assert response.status_code == 422
    assert b"<html" not in response.content and b'id="import"' in response.content


def test_answers_become_batches_and_ranking_tasks(client, project):
    content = jsonl({"prompt": "One?", "answers": ["a", "b"]}, {"prompt": "Two?", "answers": ["c", "d", "e"]})
    response = upload(client, content, "import_answers", source="our-model", for_ranking="on")
    report = response.context["report"]
    assert (report.created, report.answers, report.tasks) == (2, 5, 2)
    assert set(Answer.objects.values_list("batch__source_name", flat=True)) == {"our-model"}
    assert RankingTask.objects.count() == 2


def test_the_page_says_which_answers_the_desk_will_not_show(client, project):
    rows = [{"prompt": "One?", "answers": [f"{row}, {n}" for n in range(6)]} for row in range(2)]
    response = upload(client, jsonl(*rows), "import_answers", source="our-model", for_ranking="on")
    assert b"1 prompt has more than 9 answers; the desk shows the first." in response.content


def test_a_ranking_task_of_one_answer_is_refused(client, project):
    response = upload(
        client, jsonl({"prompt": "One?", "answers": ["a"]}), "import_answers", source="s", for_ranking="on"
    )
    assert response.status_code == 422
    assert "at least two" in response.context["form"].errors["file"][0]
    assert not Prompt.objects.exists()


@pytest.mark.parametrize("page", ["import_prompts", "import_answers", "import_rankings"])
def test_a_reviewer_imports_nothing(client, project, page):
    client.force_login(make_member(project, "reviewer"))
    assert client.get(reverse(page, args=["help"])).status_code == 403
    assert upload(client, jsonl({"prompt": "One?"}), page).status_code == 403


# Rankings

ROW = {"prompt": "Why?", "chosen": "Because.", "rejected": "No idea."}


def test_rankings_of_another_tool_come_in_and_are_told_of(client, project):
    response = upload(client, jsonl(ROW), "import_rankings", source="gpt")
    assert response.status_code == 200 and b"See the rankings" in response.content
    ranking = Ranking.objects.get()
    assert ranking.ranks == [1, 2] and ranking.task.answers.first().batch.source_name == "gpt"


def test_fields_are_named_where_the_format_has_such_names(client, project):
    fields = {"source": "s", "format": "hh_rlhf", "fields_named": "prompt=question"}
    response = upload(client, jsonl(ROW), "import_rankings", **fields)
    assert response.context["form"].errors["fields_named"] == [
        "There is no field 'prompt' to name. Choose the format that has such names."
    ]
    response = upload(client, jsonl(ROW), "import_rankings", source="s", format="argilla", fields_named="question")
    assert "Write pairs" in response.context["form"].errors["fields_named"][0]


def test_refused_rows_are_listed_and_can_be_downloaded(client, project):
    content = jsonl(ROW) + b'{"prompt": \n' + jsonl({"chosen": XSS})
    response = upload(client, content, "import_rankings", source="s", keep_good="yes", licence="MIT")
    record = Import.objects.get()
    address = reverse("refused_rows", args=["help", record.pk])
    assert address.encode() in response.content and b"2 rows were refused." in response.content
    listed = client.get(reverse("imports", args=["help"]))
    assert address.encode() in listed.content and b"MIT" in listed.content
    rows = [json.loads(line) for line in b"".join(client.get(address).streaming_content).splitlines()]
    assert [row["line"] for row in rows] == [2, 3] and json.loads(rows[1]["row"]) == {"chosen": XSS}


def test_a_file_that_broke_off_says_where_it_goes_on(client, project):
    make_import(project, finished_at=None, rows_done=2000)
    page = client.get(reverse("imports", args=["help"])).content.decode()
    assert "broken off" in page and "it goes on after row 2,000" in page


def test_before_the_first_file_the_list_says_what_to_do(client, project):
    assert b"No file came in yet" in client.get(reverse("imports", args=["help"])).content
