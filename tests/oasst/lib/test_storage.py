"""The static files of production."""

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

pytestmark = pytest.mark.slow
PACKED = "css html js json map mjs svg ts txt md ttf woff woff2".split()


@pytest.fixture
def collected(tmp_path: Path, settings: Settings) -> Path:
    backend = {"BACKEND": "oasst.lib.storage.HashedStaticFiles"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_SKIP_COMPRESS_EXTENSIONS = PACKED  # most of the time, and not asked here
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_modules_import_each_other_by_their_hashed_names(collected: Path) -> None:
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    modules = [name for plain, name in names.items() if plain.startswith("js/")]

    imports = [
        (collected / module).parent / target
        for module in modules
        for target in re.findall(
            r'^import[^"]*"([^"]+)"', (collected / module).read_text(), re.MULTILINE
        )
    ]

    assert len(imports) > 5
    assert [str(file) for file in imports if not file.is_file()] == []
    hashed = re.compile(r"\.[0-9a-f]{12}\.m?js$")
    assert [file.name for file in imports if not hashed.search(file.name)] == []
