"""Backups are made of real homes and restored into real ones, with clusters of their own."""

import gc
import os
import resource
import signal
import stat
import sys
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from annotate.accounts import sign_in_link
from annotate.models import AuditEvent, Project, Prompt, Ranking, SignInLink, User
from config import address
from config.backups import making, restoring
from config.backups.archive import MANIFEST, Archive, BackupRefused, Writer
from tests import factories
from tests.config import installation
from tests.config.installation import facts_of, names, no, run, yes
from training import lifecycle
from training.models import Device, Job

pytestmark = pytest.mark.django_db(transaction=True)


def rewritten(archive: Path, change: Callable, target: str = "changed.tar") -> Path:
    """The archive with another manifest, or other members, all hashes made to fit."""
    changed = archive.with_name(target)
    with Archive.opened(archive, tell=lambda text: None) as source, changed.open("wb") as output:
        contents = {name: b"".join(source.blocks(name)) for name in source.expected}
        change(source.manifest, contents)
        writer = Writer(output)
        for name, content in contents.items():
            writer.add(name, BytesIO(content), len(content))
        writer.seal({**source.manifest, "files": writer.members})
    return changed


def test_a_new_home_gets_all_that_another_had(full, tmp_path, new_home):
    said = StringIO()
    call_command("backup", str(tmp_path / "backup.tar"), stdout=said)
    assert "holds the secret key" in said.getvalue()
    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600
    there = installation.facts()
    done = run("restore", str(tmp_path / "backup.tar"), "--home", new_home)
    assert done.returncode == 0, done.stderr
    assert facts_of(PLACKETT_HOME=new_home) == there
    assert there["can sign in"] and there["rows"]["Ranking"].startswith("(3,") and there["offset"] == 0
    new = Path(new_home)
    assert (new / "keys/secret_key").read_text() == "secret"
    assert (new / "keys/postgres_password").read_text() != "of one cluster"
    assert not list(new.glob("jobs/*/checkpoints")) and not list(new.glob("restoring-*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in new.glob("jobs/*/output/*") if path.is_file()} == {0o600}


def test_a_database_of_a_server_of_ones_own_is_saved_and_restored_too(archive, database, new_home):
    there = installation.facts()
    elsewhere = {"DATABASE_URL": database, "PLACKETT_HOME": new_home}
    assert run("restore", str(archive), **elsewhere).returncode == 0
    again = archive.with_name("again.tar")
    assert run("backup", str(again), **elsewhere).returncode == 0
    assert not (Path(new_home) / "postgres").exists()
    assert facts_of(**elsewhere) == there
    assert set(names(again)) == set(names(archive))


def test_while_people_rank_a_backup_is_one_moment(full, tmp_path, settings):
    project = Project.objects.get()
    before = Ranking.objects.count()

    def rank() -> None:
        factories.make_ranking(labeler=factories.make_labeler(project))
        connection.close()

    def rank_beside(text: str) -> None:
        person = threading.Thread(target=rank)
        person.start()
        person.join()

    there = installation.facts()
    making.make(tmp_path / "backup.tar", tell=rank_beside)
    assert Ranking.objects.count() > before + 40
    restoring.restore(tmp_path / "backup.tar", confirm=yes)
    assert installation.facts() == there


def test_numbers_that_were_given_out_are_not_given_again(full, tmp_path):
    last = factories.make_prompt(Project.objects.get())
    gone = last.pk
    last.delete()
    making.make(tmp_path / "backup.tar")
    restoring.restore(tmp_path / "backup.tar", confirm=yes)
    assert factories.make_prompt(Project.objects.get()).pk == gone + 1


def test_what_migrations_promise_holds_after_a_restore(archive):
    permissions = Permission.objects.count()
    restoring.restore(archive, confirm=yes)
    assert Permission.objects.count() == permissions
    assert AuditEvent.objects.get(action="restore").subject == "backup.tar"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
        assert cursor.fetchone() == (0,)
    with pytest.raises(Exception, match="append-only"):
        AuditEvent.objects.all().delete()


def test_nothing_goes_on_by_itself_from_where_it_was(full, tmp_path):
    mia = User.objects.get(username=installation.USER)
    browser = Client()
    browser.force_login(mia)
    sign_in_link(mia, "http://127.0.0.1:8000")
    waiting = Job.objects.create(kind="convert")
    running = Job.objects.create(kind="convert", state="running", lease_until=now())
    Device.objects.create(host="here", index=0, job=running)
    making.make(tmp_path / "backup.tar")
    said = StringIO()
    call_command("restore", str(tmp_path / "backup.tar"), "--force", stdout=said)
    assert "2 jobs that had not ended" in said.getvalue() and "revoke_tokens --all" in said.getvalue()
    for job in (waiting, running):
        job.refresh_from_db()
        assert job.state == "cancelled" and "Cancelled by a restore" in job.reason and job.finished_at
    assert lifecycle.retry(running, mia, from_checkpoint=True).state == "queued"
    assert Job.objects.filter(state="succeeded").count() == 2 and Device.objects.get().job is None
    assert browser.get("/projects/").status_code == 302 and not SignInLink.objects.exists()


def test_without_models_the_weights_stay_out_and_everything_else_is_there(full, tmp_path):
    made = making.make(tmp_path / "small.tar", with_models=False)
    assert made.missing == []
    assert not [name for name in names(tmp_path / "small.tar") if "/model/" in name]
    there = installation.facts()
    with pytest.raises(BackupRefused, match="holds 2, which would be lost"):
        restoring.restore(tmp_path / "small.tar", confirm=yes)
    assert installation.facts() == there
    (full / "jobs").rename(tmp_path / "jobs")
    restoring.restore(tmp_path / "small.tar", confirm=yes)
    assert installation.facts() == {name: fact for name, fact in there.items() if name != "offset"}


def test_a_damaged_byte_is_found_wherever_it_is(archive, tmp_path):
    with tarfile.open(archive) as tar:
        places = {member.name: member.offset_data + member.size // 2 for member in tar if member.size}
    content = archive.read_bytes()
    for name, place in places.items():
        damaged = bytearray(content)
        damaged[place] ^= 1
        (tmp_path / "damaged.tar").write_bytes(damaged)
        wanted = MANIFEST if name.startswith(MANIFEST) else name
        with (
            pytest.raises(BackupRefused, match=f"damaged at {wanted}"),
            Archive.opened(tmp_path / "damaged.tar", tell=lambda text: None),
        ):
            pass


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_backup_that_was_cut_off_is_refused_and_nothing_is_started(archive, new_home, share):
    with tarfile.open(archive) as tar:
        end = tar.getmember(MANIFEST).offset
    cut = archive.with_name("cut.tar")
    cut.write_bytes(archive.read_bytes()[: int(end * share)])
    done = run("restore", str(cut), PLACKETT_HOME=new_home)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert any(word in done.stderr for word in ("no backup", "no whole backup", "incomplete or damaged"))
    assert not (Path(new_home) / "postgres").exists()


@pytest.mark.parametrize(
    "name",
    ["../outside", "home/../../outside", "/etc/outside", "home//outside", "elsewhere", "home/postgres/PG_VERSION",
     "home/keys/postgres_password", "home/run/quickstart.lock"],
)  # fmt: skip
def test_an_archive_writes_nowhere_else(archive, name):
    with pytest.raises(BackupRefused, match="which no backup of Plackett does"):
        restoring.restore(rewritten(archive, lambda manifest, contents: contents.update({name: b"x"})), confirm=yes)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_other_things_that_are_no_files_are_refused(archive, kind):
    with tarfile.open(archive, "a") as tar:
        info = tarfile.TarInfo("home/snapshots/link")
        info.type, info.linkname = kind, "/etc/hostname"
        tar.addfile(info)
    with pytest.raises(BackupRefused, match="which no backup of Plackett does"):
        restoring.restore(archive, confirm=yes)


@pytest.mark.parametrize(
    "newer",
    [
        {"format": 2},
        {"version": "99.0.0"},
        {"migrations": [["annotate", "0001_initial"], ["annotate", "9999_of_tomorrow"]]},
    ],
)
def test_a_backup_of_a_newer_version_is_refused(archive, newer):
    changed = rewritten(archive, lambda manifest, contents: manifest.update(newer))
    with pytest.raises(BackupRefused, match="a newer Plackett"):
        restoring.restore(changed, confirm=yes)


def test_what_is_there_is_replaced_only_if_somebody_says_so(archive, full):
    factories.make_prompt(Project.objects.get(), external_id="new")
    (full / "snapshots/newer.jsonl").write_text("{}")
    with pytest.raises(BackupRefused, match="hold data"):
        restoring.restore(archive, confirm=no)
    with pytest.raises(CommandError, match="hold data"):
        call_command("restore", str(archive))
    assert Prompt.objects.filter(external_id="new").exists() and (full / "snapshots/newer.jsonl").exists()
    call_command("restore", str(archive), "--force", stdout=StringIO())
    assert not Prompt.objects.filter(external_id="new").exists() and not (full / "snapshots/newer.jsonl").exists()


def test_a_person_at_a_terminal_is_asked_for_a_word(archive, monkeypatch, capsys):
    there = installation.facts()
    ours, theirs = os.openpty()
    with open(theirs) as terminal, open(ours, "w") as person:
        monkeypatch.setattr(sys, "stdin", terminal)
        for word in ("yes", "replace"):
            factories.make_prompt(Project.objects.get())
            person.write(f"{word}\n")
            person.flush()
            if word == "yes":
                with pytest.raises(CommandError, match="Nothing was restored"):
                    call_command("restore", str(archive))
            else:
                call_command("restore", str(archive))
    assert "which would be replaced.\nType replace to go on: " in capsys.readouterr().out
    assert installation.facts() == there


def test_a_folder_that_is_not_there_is_said_at_once(full, tmp_path):
    for file in (tmp_path / "none/backup.tar", tmp_path):
        with pytest.raises(BackupRefused, match="name a file in a folder that is there"):
            making.make(file)


@pytest.mark.parametrize("table", ["annotate_answer", "annotate_user"])
def test_a_restore_that_fails_leaves_everything_as_it_was(archive, full, table):
    """With rows that are no rows; without rows that others point to."""

    def spoil(manifest: dict, contents: dict) -> None:
        import gzip

        contents[f"database/{table}.copy.gz"] = gzip.compress(b"no row\n" if table == "annotate_answer" else b"")
        for one in manifest["tables"]:
            one["rows"] = 0 if one["name"] == "annotate_user" == table else one["rows"]

    there = installation.facts()
    with pytest.raises(BackupRefused, match="did not take the backup.*as it was"):
        restoring.restore(rewritten(archive, spoil), confirm=yes)
    assert installation.facts() == there
    assert not list(full.glob("restoring-*"))


def test_nothing_is_restored_under_a_running_plackett(archive):
    with address.alone("http://127.0.0.1:8000"), pytest.raises(BackupRefused, match=r"runs already .*:8000"):
        restoring.restore(archive, confirm=yes)
    params = connection.get_connection_params()
    with (
        psycopg.connect(**params, autocommit=True),
        pytest.raises(BackupRefused, match="Others are connected to the database"),
    ):
        restoring.restore(archive, confirm=yes)


def test_a_disk_that_is_full_is_said_and_leaves_nothing_half(full, tmp_path):
    (tmp_path / "backup.tar").write_text("the last one")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(CommandError, match=r"could not be written: File too large\. Nothing is left of it\."):
            call_command("backup", str(tmp_path / "backup.tar"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["backup.tar"]
    assert (tmp_path / "backup.tar").read_text() == "the last one"


def test_a_home_without_a_database_has_nothing_to_save(new_home, tmp_path):
    done = run("backup", str(tmp_path / "backup.tar"), PLACKETT_HOME=new_home)
    assert (done.returncode, done.stderr) == (
        1,
        f"CommandError: There is no database in {new_home} yet: nothing to save.\n",
    )
    assert not (Path(new_home) / "postgres").exists() and list(tmp_path.iterdir()) == []


def test_an_old_backup_is_brought_forward_by_migrate(database, new_home, tmp_path):
    """Made by this code of a database that was not migrated yet."""
    elsewhere = {"DATABASE_URL": database, "PLACKETT_HOME": new_home}
    assert run("migrate", "training", **elsewhere).returncode == 0
    with psycopg.connect(database, autocommit=True) as old:
        old.execute("INSERT INTO auth_group (name) VALUES ('of old')")
    made = run("backup", str(tmp_path / "old.tar"), **elsewhere)
    assert made.returncode == 0, made.stderr
    done = run("restore", str(tmp_path / "old.tar"), "--force", **elsewhere)
    assert "`manage.py migrate`" in done.stdout
    assert run("migrate", **elsewhere).returncode == 0
    assert run("migrate", "--check", **elsewhere).returncode == 0
    with psycopg.connect(database) as new:
        assert new.execute("SELECT name FROM auth_group").fetchall() == [("of old",)]


def test_memory_does_not_grow_with_the_size(full, tmp_path):
    """By 60 MB of prompts, and by 60 MB of weights."""

    def peak() -> int:
        gc.collect()  # what earlier work left in circles would be counted, or not, as the collector pleases
        tracemalloc.start()
        try:
            making.make(tmp_path / "backup.tar")
            restoring.restore(tmp_path / "backup.tar", confirm=yes)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak()  # what is loaded once
    small = peak()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO annotate_prompt (project_id, external_id, root, messages, content_sha256, split, metadata, "
            "created_at) SELECT project_id, n, n, jsonb_build_array(jsonb_build_object('role', 'user', 'content', "
            "repeat(md5(n::text), 90))), md5(n::text) || md5(n::text), split, '{}', now() "
            "FROM generate_series(1, 20000) n, (SELECT * FROM annotate_prompt LIMIT 1) AS one"
        )
    (Job.objects.filter(kind="convert").get().path / "output/model/more.safetensors").write_bytes(bytes(60_000_000))
    assert peak() < small + 10_000_000
    assert Prompt.objects.count() == 20_003
