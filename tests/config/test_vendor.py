"""The files of others that browsers load are the ones that were reviewed."""

import base64
import hashlib
import json
from pathlib import Path

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

VENDOR = Path(__file__).resolve().parents[2] / "config" / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())


def test_every_vendored_file_has_the_hash_in_the_manifest():
    hashes = {
        name: base64.b64encode(hashlib.sha384((VENDOR / name).read_bytes()).digest()).decode() for name in MANIFEST
    }
    assert hashes == {name: row["sha384"] for name, row in MANIFEST.items()}


def test_no_file_is_vendored_without_a_row_in_the_manifest():
    assert {path.name for path in VENDOR.iterdir() if path.is_file()} == {*MANIFEST, "manifest.json"}


def test_every_vendored_file_comes_with_its_licence():
    assert [name for name, row in MANIFEST.items() if not (VENDOR / row["licence_text"]).read_text().strip()] == []


def test_every_file_that_a_style_names_is_collected_under_the_name_it_is_given(settings, tmp_path):
    """As in production: names carry hashes, and a missing file fails."""
    hashed = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": hashed}
    call_command("collectstatic", interactive=False, verbosity=0)
    site = (tmp_path / staticfiles_storage.stored_name("site.css")).read_text()
    assert staticfiles_storage.stored_name("vendor/pico.min.css") in site
    assert staticfiles_storage.stored_name("vendor/inter-latin-wght-normal.woff2") in site
