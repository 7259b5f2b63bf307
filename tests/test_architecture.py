"""The rules of structure that a machine can check: who imports whom, sizes, what a start costs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oasst.lib.env import BASE_DIR

SOURCES = ("oasst", "tasks_app", "leaderboard_app", "chat_app", "training")
MODULE_LINES = 500
FUNCTION_LINES = 60
TEST_FUNCTION_LINES = 25
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes")


def python_files(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in (BASE_DIR / folder).rglob("*.py")
        if "migrations" not in path.parts
    )


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def too_long(path: Path, limit: int) -> list[str]:
    name = path.relative_to(BASE_DIR)
    return [f"{name}:{f.name} {length(f)}" for f in functions(path) if length(f) > limit]


def test_imports_follow_the_arrows() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    result = subprocess.run([linter], cwd=BASE_DIR, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_starting_the_site_loads_no_machine_learning() -> None:
    code = (
        "import sys, django; django.setup(); import oasst.urls;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )

    assert result.stdout.strip().endswith("[]")


def test_modules_and_functions_keep_their_size() -> None:
    sources = python_files(*SOURCES)
    modules = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources}

    assert [f"{p.name} {lines}" for p, lines in modules.items() if lines > MODULE_LINES] == []
    assert [name for path in sources for name in too_long(path, FUNCTION_LINES)] == []


def test_test_functions_keep_their_size() -> None:
    tests = python_files("tests")

    long = [name for path in tests for name in too_long(path, TEST_FUNCTION_LINES)]
    assert [name for name in long if ":test_" in name] == []


@pytest.mark.parametrize("folder", SOURCES)
def test_modules_say_what_they_own(folder: str) -> None:
    files = [path for path in python_files(folder) if path.read_text(encoding="utf-8").strip()]

    assert [p.name for p in files if ast.get_docstring(ast.parse(p.read_text())) is None] == []
