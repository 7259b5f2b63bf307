"""What tests of the chat share."""

from collections.abc import Iterator

import pytest

from tests import stack


@pytest.fixture(scope="session")
def running_site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web server on the test database, for those who use `transactional_db`."""
    with stack.web(tmp_path_factory.mktemp("site")) as (address, _process):
        yield address
