"""Training in a browser: all its pages, curves that grow, and a page without scripts."""

import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from chat_app.models import ServedModel
from oasst.accounts.models import User
from tests.journeys.looks import problems
from tests.training import given
from tests.training.given import GOOD
from training import runs
from training.enums import RunState
from training.models import Checkpoint, TrainingRun

SignIn = Callable[[User], None]


@pytest.fixture
def run(transactional_db: None) -> Iterator[TrainingRun]:
    """A run at its third step, with an alarm, samples and a log."""
    found = runs.claim(given.queued("first-try", steps=6).pk, now=timezone.now())
    alarm = {"code": "loss_explodes", "step": 3, "values": {"before": 2.0, "now": 9.0}}
    TrainingRun.objects.filter(pk=found.pk).update(step=3, max_steps=6, alarms=[alarm])
    _log(found, 1, 2, 3)
    found.folder.make().log.write_text("step 3 of 6\n")
    found.folder.add_samples(3, "Why is the sky blue?", [{"text": "Light.", "score": 0.5}])
    yield found
    shutil.rmtree(found.folder.path)


@pytest.fixture
def model(run: TrainingRun) -> Checkpoint:
    """What the run made, as it stands in the registry; served, and evaluated."""
    snapshot = given.snapshot("june")
    asked = {"asked_at": timezone.now(), "ended_at": timezone.now(), "state": "done"}
    snapshot.checks.create(answer={"broken": None}, **asked)
    made = Checkpoint.objects.create(
        name="made", stage="ppo", path="made/final", weights_sha256="a" * 64, run=run,
        lineage={"config": {"kl": {"budget": 10}}}, evaluation=GOOD,
        served=ServedModel.objects.create(name="best", source="made"),
    )  # fmt: skip
    made.snapshots.add(snapshot)
    return made


def _log(run: TrainingRun, *steps: int) -> None:
    rows = [{"step": s, "phase": "train", "loss": 2.0 / s, "time": 100.0 + s} for s in steps]
    runs.log(run, rows)


def test_pages_of_training(
    page: Page,
    sign_in: SignIn,
    root: User,
    run: TrainingRun,
    model: Checkpoint,
    show: Callable[[str], None],
) -> None:
    sign_in(root)
    other = given.queued("second-try")
    for path in [
        "/training/", f"/training/runs/{run.pk}/", "/training/new/?config=tiny-ppo",
        f"/training/compare/?run={run.pk}&run={other.pk}", "/training/snapshots/",
        "/training/snapshots/june/", "/training/rounds/", "/models/best/", "/models/data/june/",
        "/models/checkpoints/made/",
    ]:  # fmt: skip
        show(path)
        assert (path, problems(page)) == (path, [])


def test_curves_and_progress_grow_while_a_run_goes_on(
    page: Page, sign_in: SignIn, mona: User, run: TrainingRun
) -> None:
    sign_in(mona)
    page.goto(f"/training/runs/{run.pk}/")
    loss = page.locator('[data-chart="loss"]')
    expect(loss.locator("canvas")).to_be_visible()
    page.locator("#log summary").click()

    _log(run, 4)
    TrainingRun.objects.filter(pk=run.pk).update(step=4)
    expect(page.get_by_text("Step 4 of 6")).to_be_visible()
    runs.finish(run.pk, 1, RunState.FAILED, now=timezone.now(), message="The disk is full.")

    expect(page.get_by_text("The disk is full.")).to_be_visible()
    expect(page.locator("#log pre")).to_be_visible()
    page.get_by_label("Smooth").check()
    expect(loss.locator(".u-legend")).to_contain_text("training")
    page.reload()
    expect(page.get_by_text("The disk is full.")).to_be_visible()


def test_a_run_can_be_read_without_scripts(
    page_of: Callable[..., Page], mona: User, run: TrainingRun
) -> None:
    page = page_of(mona, java_script_enabled=False)
    page.goto(f"/training/runs/{run.pk}/")

    page.locator('[data-chart="loss"] summary').click()

    expect(page.get_by_role("row", name=re.compile(r"3\s+0\.6667"))).to_be_visible()
    expect(page.locator("#alarm-loss_explodes")).to_contain_text("The loss grew from 2.00 to 9.00")


def test_an_admin_corrects_a_config_and_queues_it(page: Page, sign_in: SignIn, root: User) -> None:
    sign_in(root)
    page.goto("/training/new/?config=tiny-sft")
    field = page.get_by_label("Config (YAML)")
    text = field.input_value()
    field.fill(text.replace("optim:", "optm:"))
    page.get_by_role("button", name="Put on the queue").click()
    expect(page.get_by_text("Did you mean optim?")).to_be_visible()

    field.fill(text)
    page.get_by_role("button", name="Put on the queue").click()

    expect(page.get_by_role("heading", name="tiny-sft")).to_be_visible()
    assert TrainingRun.objects.get().stage == "sft"
