import io
import json

import pytest

from annotate import exports, snapshots
from annotate.formats import WRITERS, spreadsheet
from annotate.formats.trl import preference_rows
from annotate.models import AuditEvent
from annotate.row_files import RowFile
from tests.factories import make_answers, make_labeler, make_project, make_prompt, make_ranking, make_task, make_user


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME = tmp_path


@pytest.fixture
def project(db):
    return make_project()


def row(answers, ranks, id="p", **fields):
    prompt = [{"role": "user", "content": id}]
    return {"id": id, "root": id, "prompt": prompt, "answers": answers, "ranks": ranks, **fields}


def said(rows):
    return {(line["chosen"][0]["content"], line["rejected"][0]["content"]): line for line in preference_rows(rows)}


def exported(source, format, **fields):
    return [json.loads(line) for line in exports.export(source, format, **fields)]


def test_a_preference_row_is_conversational_and_has_what_the_format_promises():
    assert list(preference_rows([row(["good", "bad"], [1, 2])])) == [
        {
            "prompt": [{"role": "user", "content": "p"}],
            "chosen": [{"role": "assistant", "content": "good"}],
            "rejected": [{"role": "assistant", "content": "bad"}],
            "margin": 1.0,
            "n_rankings": 1,
            "agreement": 1.0,
        }
    ]


def test_a_ranking_of_four_without_ties_gives_six_pairs():
    assert len(said([row(["a", "b", "c", "d"], [3, 1, 4, 2])])) == 6


def test_ties_give_no_preference():
    assert set(said([row(["a", "b", "c"], [1, 2, 2])])) == {("a", "b"), ("a", "c")}


def test_rankings_of_a_prompt_are_counted_together():
    # a over b: 2 of 4 rankings, one says b, one is a tie. margin (2 - 1) / 4, agreement 2 / 4
    rows = [row(["a", "b"], ranks) for ranks in ([1, 2], [1, 2], [2, 1], [1, 1])]
    (pair,) = said(rows).values()
    assert (pair["n_rankings"], pair["margin"], pair["agreement"]) == (4, 0.25, 0.5)


def test_the_same_answers_in_another_order_are_the_same_pair():
    (pair,) = said([row(["a", "b"], [2, 1]), row(["b", "a"], [1, 2])]).values()
    assert pair["chosen"][0]["content"] == "b" and pair["n_rankings"] == 2


def test_labelers_who_are_split_evenly_prefer_nothing():
    assert said([row(["a", "b"], [1, 2]), row(["a", "b"], [2, 1])]) == {}


def test_equal_texts_are_no_pair():
    assert set(said([row(["a", "a", "b"], [1, 3, 2])])) == set()
    assert set(said([row(["a", "a", "b"], [1, 2, 3])])) == {("a", "b")}


def test_prompts_are_not_mixed():
    assert len(list(preference_rows([row(["a", "b"], [1, 2], "p"), row(["a", "b"], [2, 1], "q")]))) == 2


def test_a_project_is_exported_as_it_stands(project):
    ranking = make_ranking(make_task(project), ranks=(3, 2, 1))
    (line,) = exported(project, "ranking")
    assert line["ranks"] == [3, 2, 1] and line["labeler"] == ranking.labeler.pseudonym


def test_a_snapshot_is_exported_as_it_was(project):
    make_ranking(make_task(project))
    snapshot = snapshots.freeze(project=project)
    make_ranking(make_task(project))
    assert len(exported(snapshot, "ranking")) == 1 and len(exported(project, "ranking")) == 2
    assert len(exported(snapshot, "preference")) == 3


def test_a_snapshots_ranking_export_is_its_file(project):
    make_ranking(make_task(project))
    snapshot = snapshots.freeze(project=project)
    assert b"".join(exports.export(snapshot, "ranking")) == snapshots.path_of(snapshot).read_bytes()


def test_rankings_of_one_prompt_by_two_labelers_are_one_preference(project):
    answers = make_answers(make_prompt(project), ("good", "bad"))
    task = make_task(answers=answers, rankings_wanted=2)
    make_ranking(task, ranks=(1, 2))
    make_ranking(make_task(project, priority=-1))
    make_ranking(task, labeler=make_labeler(project), ranks=(1, 2))
    lines = exported(project, "preference")
    assert [line["n_rankings"] for line in lines] == [2, 1, 1, 1]


def test_a_preference_of_a_majority_tells_the_share_that_was_of_its_opinion(project):
    # All prefer a to b, three of four a to c; on b and c the vote is divided, so the row names its pairs.
    task = make_task(answers=make_answers(make_prompt(project), ("a", "b", "c")), rankings_wanted=4)
    for ranks in ((1, 2, 3), (1, 2, 3), (1, 3, 2), (2, 3, 1)):
        make_ranking(task, ranks=ranks)
    snapshot = snapshots.freeze(project=project, spec=snapshots.SnapshotSpec(several="majority"))
    assert [row["pairs"][-1] for row in snapshots.read(snapshot)] == [[1, 2, 0.5]]
    shares = {line["rejected"][0]["content"]: line["agreement"] for line in exported(snapshot, "preference")}
    assert shares == {"b": 1.0, "c": 0.75}


def test_texts_go_out_as_they_are(project):
    text = '=cmd|"x"! \u202e 你好 \n'
    make_ranking(make_task(answers=make_answers(make_prompt(project), (text, "b"))), ranks=(1, 2))
    assert exported(project, "ranking")[0]["answers"][0] == text


def test_test_prompts_are_not_exported_for_training(project):
    make_ranking(make_task(answers=make_answers(make_prompt(project, split="id_test"))))
    assert exported(project, "ranking") == []
    assert len(exported(project, "ranking", purpose="testing")) == 1


@pytest.mark.parametrize("format", ["preference", "prompt"])
def test_what_would_leak_a_test_is_not_exported_for_training(project, format):
    make_ranking(make_task(answers=make_answers(make_prompt(project, "Why\u00a0rice?", external_id="leak"))))
    make_prompt(project, "why rice?", split="id_test")
    with pytest.raises(exports.ExportRefused, match="another conversation: leak. Training on them would leak"):
        exports.export(project, format)
    assert exported(project, format, purpose="testing")
    assert AuditEvent.objects.filter(action="export").count() == 1


def test_no_name_of_a_person_is_exported(project):
    labeler = make_labeler(project, make_user("mia.secret", email="mia@secret.example"))
    make_ranking(make_task(project), labeler=labeler)
    assert b"secret" not in b"".join(exports.export(project, "ranking"))


@pytest.mark.parametrize("format", exports.of_kind("rankings"))
def test_every_format_of_rankings_is_written_as_lines_and_as_a_table(project, format):
    make_ranking(make_task(project, answers=make_answers(make_prompt(project), ("=good", "bad\n"))), ranks=(1, 2))
    snapshot = snapshots.freeze(project=project)
    rows = list(WRITERS[format].rows(snapshots.read(snapshot)))
    assert rows and exported(snapshot, format) == rows
    table = RowFile(io.BytesIO(b"".join(exports.export(snapshot, format, ending="csv"))), "a.csv")
    assert [spreadsheet.cells(row, row) for row in rows] == [
        [found.value.get(key, "") for key in row] for row, found in zip(rows, table, strict=True)
    ]


def test_a_table_without_rows_still_names_its_columns(project):
    (line,) = exports.export(project, "hh_rlhf", ending="csv")
    assert line == b"chosen,rejected\r\n"


def test_an_unknown_format_is_refused(project):
    with pytest.raises(exports.ExportRefused, match="no format 'xml': take one of ranking, preference"):
        exports.export(project, "xml")


def test_a_snapshot_of_prompts_holds_no_preferences(project):
    make_prompt(project)
    snapshot = snapshots.freeze(project=project, kind="prompts")
    with pytest.raises(exports.ExportRefused, match="take one of prompt"):
        exports.export(snapshot, "preference")


def test_an_evaluation_project_is_exported_for_testing_only(db):
    project = make_project(purpose="evaluation")
    with pytest.raises(exports.ExportRefused, match="for testing, not for training"):
        exports.export(project, "ranking")
    assert exported(project, "ranking", purpose="testing") == []


def test_a_damaged_snapshot_is_refused_before_the_first_line(project):
    make_ranking(make_task(project))
    snapshot = snapshots.freeze(project=project)
    snapshots.path_of(snapshot).write_text("{}\n")
    with pytest.raises(snapshots.SnapshotDamaged):
        exports.export(snapshot, "ranking")
    assert not AuditEvent.objects.filter(action="export").exists()


def test_an_export_is_audited(project):
    mia = make_user("mia")
    exports.export(project, "preference", user=mia)
    event = AuditEvent.objects.get()
    assert (event.action, event.user, event.details["format"]) == ("export", mia, "preference")


@pytest.mark.django_db(transaction=True)
def test_an_export_that_is_broken_off_frees_its_connection():
    project = make_project()
    for _ in range(3):
        make_ranking(make_task(project))
    lines = exports.export(project, "ranking")
    next(lines)
    lines.close()
    assert len(exported(project, "ranking")) == 3


@pytest.mark.django_db(transaction=True)
def test_rows_that_nobody_reads_to_the_end_do_not_block_the_connection():
    project = make_project()
    for _ in range(3):
        make_ranking(make_task(project))
    rows = snapshots.rows_of(project, "rankings", "testing")
    next(rows)
    rows.close()
    assert len(list(snapshots.rows_of(project, "rankings", "testing"))) == 3
