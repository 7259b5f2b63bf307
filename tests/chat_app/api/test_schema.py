"""The REST API under a hail of generated requests: no crash, and it answers as its schema says."""

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis import APIOperation, Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import factories
from tests.chat_app import given
from tests.chat_app.api.calling import token_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = 16


def hail(operation: APIOperation, number: int, examples: int) -> None:
    """Send requests to one operation, about a chat of somebody's own and one that is not there."""
    user = factories.person(f"Person {number}")
    chat, (_prompt, reply) = given.thread(user)
    own = {"chat_id": str(chat.pk), "message_id": str(reply.pk)}
    headers = {"Authorization": f"Bearer {token_of(user)}"}

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(), is_own=st.booleans())
    def send(case: Case, is_own: bool) -> None:
        if is_own:
            case.path_parameters = {name: own[name] for name in case.path_parameters or {}}
        case.call_and_validate(headers=headers, checks=CHECKS)

    send()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("examples", [5, pytest.param(50, marks=pytest.mark.full)])
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
