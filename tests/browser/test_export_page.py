"""From the snapshot's page to a file on the disk, over a download that broke off."""

import shlex
import shutil
import subprocess

import pytest
from playwright.sync_api import expect

from annotate import snapshots
from tests import factories
from tests.training.jobs import claim
from training import supervisor
from training.models import Artefact

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_file_is_made_and_the_line_for_curl_goes_on_with_what_is_there(page, sign_in, tmp_path):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    for _ in range(8):
        factories.make_ranking(factories.make_task(project))
    snapshot = snapshots.freeze(project=project, user=None)
    page.goto(f"/projects/bread/snapshots/{snapshot.pk}")
    page.get_by_label("As", exact=True).select_option("parquet")
    page.get_by_role("button", name="Make the file").click()
    expect(page.get_by_label("As", exact=True)).to_have_value("parquet")
    page.get_by_role("button", name="Make the file").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    supervisor.run(claim("light"))
    expect(page.get_by_text(f"bread-{snapshot.short_hash}.ranking.parquet")).to_be_visible()
    page.get_by_role("button", name="Make a link").click()
    line = page.get_by_label("In a terminal").input_value()
    file = Artefact.objects.get()
    content = (file.job.path / file.path).read_bytes()
    begun = tmp_path / f"bread-{snapshot.short_hash}.ranking.parquet"
    begun.write_bytes(content[:1000])
    for status in (0, 22):  # the second time there is nothing left to fetch: 416, and the file stays as it is
        done = subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert done.returncode in (0, status), done.stderr
        assert begun.read_bytes() == content


def test_what_stands_is_downloaded_as_the_form_chose_it(page, sign_in):
    project = factories.make_project("bread", name="Bread")
    sign_in(factories.make_member(project, "researcher"))
    factories.make_ranking(factories.make_task(project))
    page.goto("/projects/bread/snapshots/")
    page.get_by_label("Rows").select_option("preference")
    page.get_by_label("As", exact=True).select_option("csv")
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    assert begun.value.suggested_filename == "bread-now.preference.csv"
