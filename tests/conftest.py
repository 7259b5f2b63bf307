"""Fixtures of every test, and the embedded services that the tests run on."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from hypothesis import settings
from pytest_django import DjangoDbBlocker

from oasst.accounts.models import User
from oasst.lib import services
from oasst.lib.queue import redis_client
from tests import factories, stack, templates
from tests.sessions import SignIn, signed_in

# Young objects that let the collector run; many more than by default.
COLLECT_AFTER = 100_000

# On a busy machine an example takes as long as it takes.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()
    if not config.option.collectonly:
        services.ensure()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what imports and collection made: it would visit that often."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)
    gc.enable()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        templates.begin_as_copies()


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    redis_client().flushdb()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real oasst files; tests that need it carry the marker `real_data`."""
    default = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("OASST_TEST_DATA", str(default)))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder} (OASST_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def running_site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web server on the test database, for those who use `transactional_db`."""
    with stack.web(tmp_path_factory.mktemp("site")) as (address, _process):
        yield address


@pytest.fixture
def alice(db: None) -> User:
    return factories.alice()


@pytest.fixture
def bob(db: None) -> User:
    return factories.bob()


@pytest.fixture
def mona(db: None) -> User:
    return factories.mona()


@pytest.fixture
def root(db: None) -> User:
    return factories.root()


@pytest.fixture
def trudy(db: None) -> User:
    return factories.trudy()


@pytest.fixture
def sign_in(db: None) -> SignIn:
    """A browser in which somebody is signed in."""
    return signed_in


@pytest.fixture
def web(alice: User) -> Client:
    """Alice's browser."""
    return signed_in(alice)


@pytest.fixture
def moderator(mona: User) -> Client:
    """Mona's browser."""
    return signed_in(mona)


@pytest.fixture
def administrator(root: User) -> Client:
    """Root's browser."""
    return signed_in(root)
