"""The schema, the page made of it, and the examples of docs/api.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotate.api import reference
from annotate.models import Prompt, Snapshot
from tests import factories
from tests.annotate.api.conftest import Script

DOCS = Path(__file__).resolve().parents[3] / "docs/api.md"
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
RUN = {"sh": ("bash", "-euo", "pipefail", "-c"), "python": (sys.executable, "-c")}


def test_the_schema_is_valid_and_leaves_nothing_to_guess(tmp_path):
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yml"))


def test_the_schema_can_be_had_without_a_token(client):
    answer = client.get(reverse("api_schema"), headers={"Accept": "application/json"})
    operations = [one for path in answer.json()["paths"].values() for one in path.values()]
    assert all({"x-scope", "x-role"} <= set(one) for one in operations)
    assert all("default" in one["responses"] for one in operations)


@pytest.mark.django_db
def test_the_page_lists_every_operation_and_every_option(client):
    client.force_login(factories.make_user())
    page = client.get(reverse("api_docs")).text
    operations = [one for each in reference.subjects().values() for one in each]
    assert len(operations) == 14
    for one in operations:
        assert one.path in page and one.summary in page
    assert all(
        f"<code>{name}</code>" in page for name in ("keep_good", "most_per_labeler", "page_size", "rows_refused")
    )
    assert "train | id_test | ood_test" in page


@pytest.mark.django_db(transaction=True)
def test_the_examples_run_as_they_stand(live_server, tmp_path):
    project = factories.make_project("demo")
    token = Script(factories.make_member(project, "researcher")).secret
    environment = {**os.environ, "PLACKETT": live_server.url, "TOKEN": token}
    told = []
    for language, example in EXAMPLES:
        done = subprocess.run(
            [*RUN[language], example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{example}\n{done.stdout}\n{done.stderr}"
        told.append(done.stdout)
    assert len(told) == 6
    assert "2 rankings" in told[1] and '"line":2' in told[2] and "1 ranking," in told[3] and "sky [1, 2]" in told[4]
    assert Snapshot.objects.get().sha256 in told[5]
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == 3
    assert Prompt.objects.get(external_id="a").split == "id_test"
