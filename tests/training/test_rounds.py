"""A round takes every step once, tells what each did, and goes on where it broke off."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks_app.enums import TreeState
from tasks_app.models import Message, MessageTree
from tests.training.given_rounds import PowerCut, begin, breaking_at, config, jobs, states
from tests.training.working import in_process
from training import (
    rounds,
    runs,
)
from training.config import ConfigError
from training.enums import RoundState, StepState
from training.models import Checkpoint, Round, TrainingRun
from training.round_steps import STEPS
from training.standings import standing

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

# A stage takes longer than the database lets a transaction wait.
LONG = pytest.mark.django_db(transaction=True)
FEW_STEPS = ["sft.optim.max_steps=2", "rm.optim.max_steps=2", "ppo.optim.max_steps=4"]


@LONG
def test_a_round_that_broke_off_goes_on_at_its_step(folders: Path, trees: Path) -> None:
    wanted = config(trees, *FEW_STEPS)
    with pytest.raises(PowerCut):
        rounds.run(begin(wanted), execute=breaking_at("rm"))
    broken = Round.objects.get()
    assert states(broken)["sft"] == StepState.DONE
    assert states(broken)["ppo"] == StepState.WAITING
    rm = TrainingRun.objects.get(stage="rm")
    TrainingRun.objects.filter(pk=rm.pk).update(state="queued", lease_until=None)  # as cron does

    found = rounds.run(begin(wanted), execute=in_process)

    assert (found, found.state) == (broken, RoundState.DONE)
    stages = list(TrainingRun.objects.order_by("queued_at").values_list("stage", flat=True))
    assert stages == ["sft", "rm", "ppo", "evaluate", "sample"]
    rm.refresh_from_db()
    assert rm.attempt == 2
    _check_what_it_left(found)


def _check_what_it_left(found: Round) -> None:
    """Figures of every stage, and answers of both models that wait to be ranked."""
    records = {step.kind: step.record for step in found.steps.all()}
    assert set(states(found).values()) == {StepState.DONE, StepState.SKIPPED}
    assert states(found)["promote"] == StepState.SKIPPED  # the config names no model of the chat
    assert records["sft"]["evaluation"]["loss"]["n"] > 0
    assert records["ppo"]["weights_sha256"]
    model = Checkpoint.objects.get(stage="ppo")
    assert records["sample"]["endings"].items() <= model.evaluation.items()
    assert {model.evaluation[f"{place}ended_change"]["n"] for place in ("", "samples_")} != {0}
    tree_ids = records["rank"]["trees"]
    assert set(MessageTree.objects.values_list("state", flat=True)) == {TreeState.RANKING}
    assert MessageTree.objects.filter(pk__in=tree_ids).count() == len(tree_ids) > 0
    models = set(Message.objects.filter(synthetic=True).values_list("model_name", flat=True))
    assert models == set(records["rank"]["sides"].values())
    assert standing(found).rankings == 0


@LONG
def test_a_failed_step_may_be_put_right(folders: Path, trees: Path) -> None:
    failed = rounds.run(begin(config(trees, "sft.data.min_examples=999")), execute=in_process)
    assert failed.state == RoundState.FAILED
    assert failed.message.startswith("sft: ")
    assert "999" in failed.message

    def stop(run: TrainingRun) -> TrainingRun:
        raise PowerCut

    with pytest.raises(PowerCut):
        rounds.run(begin(config(trees)), execute=stop)

    assert Round.objects.count() == 1
    first, second = TrainingRun.objects.order_by("queued_at")
    assert (first.config["data"]["min_examples"], second.config["data"]["min_examples"]) == (999, 8)


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("ranking.human=1", None),
        ("languages=[de]", "snapshot"),
        ("seed=7", "sft"),
        ("rm.optim.lr=1e-4", "rm"),
        ("sample.count=3", "sample"),
        ("promote.name=tiny-chat", "promote"),
    ],
)
def test_steps_are_taken_again_from_where_a_changed_config_matters(
    trees: Path, override: str, first: str | None
) -> None:
    broken = begin(config(trees))
    broken.steps.exclude(kind="rank").update(state=StepState.DONE, record={"of": "before"})
    Round.objects.update(state=RoundState.FAILED)

    found = begin(config(trees, override))

    kept = [*STEPS][: [*STEPS].index(first or "rank")]
    assert [kind for kind, state in states(found).items() if state == StepState.DONE] == kept
    assert [step.kind for step in found.steps.all() if step.record] == kept


def test_a_round_of_other_data_learns_from_them(folders: Path, trees: Path) -> None:
    def fail(run: TrainingRun) -> TrainingRun:
        asked.append(run.config["data"]["sources"][0]["path"])
        run.state, run.message = "failed", "It broke."
        return run

    asked: list[str] = []
    other = trees.rename(trees.with_name("other.jsonl"))
    trees.write_text(other.read_text())
    for path in (trees, other):
        rounds.run(begin(config(path)), execute=fail)

    assert Round.objects.get().steps.get(kind="snapshot").record["path"] == asked[1] == str(other)


def test_a_cancelled_run_ends_the_round_until_it_is_gone_on_with(
    folders: Path, trees: Path
) -> None:
    def cancel(run: TrainingRun) -> TrainingRun:
        runs.cancel(run.pk, now=timezone.now())
        run.refresh_from_db()
        return run

    found = rounds.run(begin(config(trees)), execute=cancel)

    assert found.state == RoundState.CANCELLED
    assert states(found)["sft"] == StepState.WAITING
    assert begin(config(trees)) == found


def test_after_the_end_of_a_round_the_next_begins(trees: Path) -> None:
    first = begin(config(trees))
    again = begin(config(trees))
    Round.objects.filter(pk=first.pk).update(state=RoundState.DONE)

    second = begin(config(trees))

    assert first == again
    assert [first.name, second.name] == ["tiny-round-1", "tiny-round-2"]
    assert (rounds.before(first), rounds.before(second)) == ([], [first])


def test_rounds_of_other_names_are_left_alone(trees: Path) -> None:
    begin(config(trees, "name=tiny-round-2"))

    assert begin(config(trees)).name == "tiny-round-1"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sft.optim.lrr=1", "sft: optim.lrr: unknown key. Did you mean optim.lr?"),
        ("ppo.config=tiny-ppp", "ppo: tiny-ppp: no such file"),
        ("sample.presets=[k51]", "sample: presets: 'k51', expected some of k50"),
        ("sample.presets=[k51]x", "sample.presets=[k51]x: the value is not YAML"),
        ("promot.name=x", "promot: unknown key. Did you mean promote?"),
    ],
)
def test_a_wrong_config_is_told_before_anything_runs(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        config(None, override)

    assert said in str(error.value)


# The command


def test_command_leaves_a_round_to_a_worker(trees: Path, capsys: pytest.CaptureFixture) -> None:
    call_command("run_round", "tiny-round", f"data={trees}")

    assert "It waits for a worker" in capsys.readouterr().out
    assert jobs() == [Round.objects.get().pk]


def test_command_says_what_is_wrong(db: None) -> None:
    with pytest.raises(CommandError, match="Did you mean tiny-round"):
        call_command("run_round", "tiny-rond", "--now")
    with pytest.raises(CommandError, match="this is a config for sft, expected one for round"):
        call_command("run_round", "tiny-sft", "--now")
    assert not Round.objects.exists()
