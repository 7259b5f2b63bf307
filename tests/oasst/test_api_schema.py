"""The REST API under a hail of generated requests: no crash, and it answers as its schema says."""

from collections import Counter
from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from django.conf import settings
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import strategies as st
from ninja import Schema
from schemathesis import APIOperation, Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from oasst.accounts.models import User
from tasks_app.enums import TaskType, TreeState
from tests import factories
from tests.calling import token_of
from tests.chat_app import given

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = 42
# What the person's own task is of, by the end of the path.
KINDS = {"/reply": TaskType.ASSISTANT_REPLY, "/ranking": TaskType.RANK_ASSISTANT_REPLIES}


def own_ids(path: str, user: User) -> dict[str, str]:
    """What a path may name of somebody's own."""
    if "/chats" in path:
        chat, (_prompt, reply) = given.thread(user)
        return {"chat_id": str(chat.pk), "message_id": str(reply.pk)}
    kind = next((kind for end, kind in KINDS.items() if path.endswith(end)), None)
    is_ranking = kind is not None and kind.is_ranking
    state = TreeState.RANKING if is_ranking else TreeState.GROWING
    grown = factories.grow("P(A A)" if is_ranking else "P(A A?)", state=state)
    kind = kind or TaskType.LABEL_ASSISTANT_REPLY
    message = grown[2] if kind.is_labeling else grown.root
    task = factories.hand_out(user, kind, message, now=timezone.now())
    return {"task_id": str(task.pk), "message_id": str(message.pk)}


def hail(operation: APIOperation, number: int, examples: int) -> None:
    """Send requests to one operation, about what is somebody's own and what is not there."""
    user = factories.person(f"Person {number}")
    own = own_ids(operation.path, user)
    headers = {"Authorization": f"Bearer {token_of(user)}"}

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(), is_own=st.booleans())
    def send(case: Case, is_own: bool) -> None:
        if is_own:
            case.path_parameters = dict(case.path_parameters or {}) | {
                name: own[name] for name in case.path_parameters or {} if name in own
            }
        case.call_and_validate(headers=headers, checks=CHECKS)

    send()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("examples", [2, pytest.param(50, marks=pytest.mark.full)])
def test_no_request_crashes_the_api_or_breaks_its_schema(
    running_site: str, subtests: pytest.Subtests, examples: int
) -> None:
    given.served()
    schema = schemathesis.openapi.from_url(f"{running_site}/api/v1/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]

    assert len(operations) >= OPERATIONS
    for number, operation in enumerate(operations):
        with subtests.test(operation.label):
            hail(operation, number, examples)


def test_no_two_schemas_have_one_name() -> None:
    ours = [each for each in _below(Schema) if "api" in each.__module__]
    names = Counter(each.__name__ for each in set(ours))

    assert [name for name, count in names.items() if count > 1] == []


def _below(schema: type[Schema]) -> Iterator[type[Schema]]:
    for each in schema.__subclasses__():
        yield each
        yield from _below(each)


def test_every_path_of_the_collection_is_documented(client: Client) -> None:
    document = (settings.BASE_DIR / "docs" / "api.md").read_text(encoding="utf-8")
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method in methods
        if "/chats" not in path
    }

    assert {each for each in described if f"`{each}`" not in document} == set()
    assert all(each["summary"] for methods in paths.values() for each in methods.values())
    told = [each["description"] for methods in paths.values() for each in methods.values()]
    assert all("Needs the scope `" in text for text in told)
