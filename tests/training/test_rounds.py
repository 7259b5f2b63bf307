"""A round takes every step once, tells what each did, and goes on where it broke off."""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import django_rq
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from rq.registry import FailedJobRegistry
from rq.results import Result

from chat_app.models import ServedModel
from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tasks_app.enums import TreeState
from tasks_app.importing import NAMESPACE, import_trees
from tasks_app.models import Message, MessageTree
from tests.sessions import SignIn
from tests.training import given, given_rounds
from tests.training.working import in_process
from training import (
    data,
    examples,
    execution,
    registry,
    round_config,
    round_reading,
    rounds,
    runs,
    tiny,
)
from training.config import ConfigError
from training.enums import RoundState, RunState, StepState
from training.errors import RoundUnderWay
from training.jobs import run_round
from training.models import Checkpoint, Promotion, Round, TrainingRun
from training.round_config import RoundConfig, stage_config
from training.round_prompts import fresh_prompts
from training.round_steps import STEPS
from training.round_work import Work
from training.standings import standing

pytestmark = pytest.mark.django_db

# A stage takes longer than the database lets a transaction wait.
LONG = pytest.mark.django_db(transaction=True)
Execute = Callable[[TrainingRun], TrainingRun]


@pytest.fixture
def folders(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for runs and models."""
    settings.RUNS_DIR = tmp_path / "runs"
    settings.MODELS_DIR = tmp_path / "models"
    monkeypatch.setenv("RUNS_DIR", str(settings.RUNS_DIR))
    monkeypatch.setenv("MODELS_DIR", str(settings.MODELS_DIR))
    return tmp_path


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A file of 24 trees with three ranked replies each."""
    rng = random.Random(1)
    path = tmp_path / "trees.jsonl"
    path.write_text("".join(json.dumps(tree(number, rng)) + "\n" for number in range(24)))
    return path


def tree(number: int, rng: random.Random) -> dict[str, Any]:
    key = f"tree-{number}"
    words = "cat mat dog log ten one two".split()
    replies = [
        message(f"{key}-{rank}", " ".join(rng.choices(words, k=4)), rank=rank, parent_id=key)
        for rank in range(3)
    ]
    root = message(key, f"Where is cat number {number}?", role="prompter", replies=replies)
    return {"message_tree_id": key, "tree_state": "ready_for_export", "prompt": root}


def message(key: str, text: str, **more: Any) -> dict[str, Any]:
    known = {"message_id": key, "text": text, "lang": "en", "review_result": True}
    return known | {"role": "assistant", "review_count": 3, "user_id": "somebody"} | more


def config(trees: Path | None, *overrides: str) -> RoundConfig:
    data = [f"data={trees}"] if trees else []
    return round_config.load("tiny-round", [*data, *overrides])


def begin(found: RoundConfig) -> Round:
    return rounds.begin(found, now=timezone.now())


def states(found: Round) -> dict[str, str]:
    return dict(found.steps.order_by("position").values_list("kind", "state"))


class PowerCut(BaseException):
    """Whatever ends a process at once."""


def breaking_at(stage: str) -> Execute:
    """Works until a run of `stage`, which begins and breaks off."""

    def execute(run: TrainingRun) -> TrainingRun:
        if run.stage != stage:
            return in_process(run)
        runs.claim(run.pk, now=timezone.now())
        raise PowerCut

    return execute


@pytest.mark.slow
@LONG
def test_a_round_that_broke_off_goes_on_at_its_step(folders: Path, trees: Path) -> None:
    wanted = config(trees)
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


@pytest.mark.slow
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


def test_fresh_prompts_are_new_to_models_before_too(folders: Path, trees: Path) -> None:
    """What was asked and ranked in one round is learned from in the next; other configs of later
    rounds do not change what is held out."""
    first, learned = taken(config(trees))
    ranked = sorted(first)[: len(first) // 2]
    with trees.open("a") as file:
        file.writelines(json.dumps(ranked_copy(prompt)) + "\n" for prompt in ranked)

    second, learned_then = taken(config(trees, "seed=5", "eval_share=0.9"))

    assert first
    assert second == first - set(ranked)
    assert not first & learned
    assert not second & learned_then
    assert {*ranked} <= learned_then


def taken(wanted: RoundConfig) -> tuple[set[str], set[str]]:
    """A round that comes to its end: its fresh prompts, and those that it learned from."""
    found = begin(wanted)
    work = Work(found, wanted, rounds.before(found), in_process)
    given_rounds.write(found, "snapshot", STEPS["snapshot"](work, found.steps.first()))
    fresh = {prompt.text for prompt in fresh_prompts(work, 100)}
    settings = stage_config(wanted, "rm", name="x", model={"path": "tiny"}, data=work.data())
    learned = {row["prompt"][0]["content"] for row in data.preferences(settings.data).train}
    Round.objects.filter(pk=found.pk).update(state=RoundState.DONE)
    return fresh, learned


def ranked_copy(prompt: str) -> dict[str, Any]:
    """The tree of a prompt that models answered, after people ranked the answers."""
    made = tree(1000, random.Random(prompt))
    made["message_tree_id"] = made["prompt"]["message_id"] = f"copy of {prompt}"
    made["prompt"]["text"] = prompt
    for reply in made["prompt"]["replies"]:
        reply |= {"synthetic": True, "model_name": "x", "parent_id": f"copy of {prompt}",
                  "message_id": f"{reply['message_id']} {prompt}"}  # fmt: skip
    return made


def test_prompts_of_the_site_are_asked_once(folders: Path, trees: Path) -> None:
    """Those of a file, which no ranking adds to, may be asked in every round."""
    first = begin(config(trees))
    work = Work(first, config(trees), [], in_process)
    given_rounds.write(first, "snapshot", {"path": str(trees)})
    asked = fresh_prompts(work, 2)
    rows = [{"prompt": list(prompt.messages)} for prompt in asked]
    (work.folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    for_site = Work(first, config(None), [first], in_process)
    for_file = Work(first, config(trees), [first], in_process)

    keys = {prompt.id for prompt in asked}
    assert keys.isdisjoint(prompt.id for prompt in fresh_prompts(for_site, 100))
    assert keys < {prompt.id for prompt in fresh_prompts(for_file, 100)}


def test_the_tree_of_a_prompt_is_known_while_its_copy_is_ranked(folders: Path, trees: Path) -> None:
    """So that nobody who ranks looks up there which reply is a person's."""
    import_trees(trees, now=timezone.now(), on_bad=lambda line: pytest.fail(str(line)))
    original = MessageTree.objects.get(pk=uuid.uuid5(NAMESPACE, "tree-1"))
    work = Work(begin(config(trees)), config(trees), [], in_process)
    asked = [{"role": "user", "content": "Where is cat number 1?"}]
    row = {"prompt": asked, "lang": "en", "tree": "tree-1"}
    (work.folder / "prompts.jsonl").write_text(json.dumps(row) + "\n")
    answered = {"id": examples.key_of(asked), "results": [{"outputs": ["a log"]}]}
    (work.folder / "new.json").write_text(json.dumps({"prompts": [answered]}))
    given_rounds.write(work.round, "snapshot", {"path": str(trees)})
    sampled = {"summary": [{"model": "new"}], "folder": str(work.folder)}
    given_rounds.write(work.round, "sample", sampled)

    STEPS["rank"](work, work.round.steps.get(kind="rank"))

    copy = MessageTree.objects.get(state=TreeState.RANKING)
    assert copy.copy_of == original
    assert set(copy.messages.values_list("depth", "synthetic")) == {
        (0, False),
        (1, False),
        (1, True),
    }


def test_without_fresh_prompts_a_round_comes_to_its_end(folders: Path, trees: Path) -> None:
    """All but the one tree that a split needs taught the model before: it may not be asked of."""
    wanted = config(trees, "eval_share=0.0001")
    begin(wanted).steps.filter(kind="ppo").update(record={"folder": "tiny"})
    Round.objects.update(state=RoundState.DONE)
    found = begin(wanted)
    found.steps.exclude(kind__in=["snapshot", "sample", "rank"]).update(state=StepState.DONE)

    rounds.run(found)

    assert found.state == RoundState.DONE
    said = dict(found.steps.filter(state=StepState.SKIPPED).values_list("kind", "message"))
    assert said["sample"].startswith("No prompt is left from which none of the models learned")
    assert said["rank"] == "There are no answers to be ranked."


def _database() -> dict[str, Any]:
    return {k: connection.get_connection_params()[k] for k in ("dbname", "host", "user")}


@contextmanager
def held_elsewhere(found: Round) -> Iterator[None]:
    """Another process is at work on the round."""
    with psycopg.connect(**_database()) as there:
        there.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"training.round.{found.pk}"]
        )
        yield
        # A server process may take a moment to end, and holds its locks until then.
        there.execute("SELECT pg_advisory_unlock_all()")


@pytest.mark.django_db(transaction=True)
def test_a_round_is_in_one_process_at_a_time(folders: Path, trees: Path) -> None:
    found = begin(config(trees))
    with held_elsewhere(found):
        with pytest.raises(RoundUnderWay):
            rounds.run(found, execute=breaking_at("sft"))
        assert rounds.wake_abandoned() == []

    with pytest.raises(PowerCut):
        rounds.run(found, execute=breaking_at("sft"))


def _sft_while_the_database_was_away(run: TrainingRun, then: Callable[[], Any]) -> TrainingRun:
    """Ends the run well, on a new connection; the one that held the round is gone."""
    (run.folder.final).mkdir(parents=True)
    lineage = {"stage": "sft", "name": "x", "weights_sha256": "0" * 64}
    (run.folder.final / "training.json").write_text(json.dumps(lineage))
    connection.close()
    then()
    attempt = runs.claim(run.pk, now=timezone.now()).attempt
    runs.finish(run.pk, attempt, RunState.DONE, now=timezone.now())
    run.refresh_from_db()
    return run


@pytest.mark.django_db(transaction=True)
def test_a_round_that_another_process_took_meanwhile_is_left_to_it(
    folders: Path, trees: Path
) -> None:
    found = begin(config(trees))
    elsewhere = ExitStack()

    def execute(run: TrainingRun) -> TrainingRun:
        took = held_elsewhere(found)
        return _sft_while_the_database_was_away(run, lambda: elsewhere.enter_context(took))

    with elsewhere, pytest.raises(RoundUnderWay):
        rounds.run(found, execute=execute)

    assert [states(found)[kind] for kind in ("sft", "rm")] == [StepState.DONE, StepState.WAITING]
    assert Round.objects.get(pk=found.pk).state == RoundState.RUNNING


@pytest.mark.django_db(transaction=True)
def test_a_round_that_nobody_took_meanwhile_is_held_again(folders: Path, trees: Path) -> None:
    found = begin(config(trees))

    def execute(run: TrainingRun) -> TrainingRun:
        if run.stage == "sft":
            return _sft_while_the_database_was_away(run, lambda: None)
        assert run.stage == "rm"
        with psycopg.connect(**_database()) as there:
            row = there.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))",
                [f"training.round.{found.pk}"],
            ).fetchone()
        raise PowerCut(f"taken: {row}")

    with pytest.raises(PowerCut, match=r"taken: \(False,\)"):
        rounds.run(found, execute=execute)


@pytest.mark.django_db(transaction=True)
def test_the_config_of_a_round_at_work_stays(folders: Path, trees: Path) -> None:
    found = begin(config(trees))
    Round.objects.update(state=RoundState.RUNNING)
    with held_elsewhere(found), pytest.raises(RoundUnderWay):
        begin(config(trees, "seed=7"))
    found.refresh_from_db()
    assert (found.state, found.config["seed"]) == (RoundState.RUNNING, 0)

    assert begin(config(trees, "seed=7")).config["seed"] == 7


def jobs() -> list[int]:
    """The rounds that a worker was called for."""
    queue = django_rq.get_queue("training")
    return [job.args[0] for job in queue.jobs if job.func_name == "training.jobs.run_round"]


def test_a_round_whose_process_ends_waits_for_the_next(folders: Path, trees: Path) -> None:
    def stop(run: TrainingRun) -> TrainingRun:
        raise execution.Stopped("It was asked to end.")

    found = rounds.run(begin(config(trees)), execute=stop)

    assert (found.state, states(found)["sft"]) == (RoundState.QUEUED, StepState.WAITING)
    assert begin(config(trees)) == found


def test_a_round_that_is_in_no_process_is_given_to_a_worker(trees: Path) -> None:
    lost, ended, failed = (begin(config(trees, f"name=round-{n}")) for n in "abc")
    Round.objects.filter(pk=lost.pk).update(state=RoundState.RUNNING)
    Round.objects.filter(pk=ended.pk).update(state=RoundState.DONE)
    Round.objects.filter(pk=failed.pk).update(state=RoundState.FAILED)

    assert rounds.wake_abandoned() == [lost]
    assert rounds.wake_abandoned() == []  # its job waits already
    assert jobs() == [lost.pk]


def test_a_round_whose_worker_was_killed_is_given_to_another(trees: Path) -> None:
    """RQ moves the job to those that failed, and keeps it for days."""
    found = begin(config(trees))
    rounds.call_worker(found)
    Round.objects.update(state=RoundState.RUNNING)
    queue = django_rq.get_queue("training")
    (job,) = queue.jobs
    queue.remove(job)
    FailedJobRegistry(queue=queue).add(job, exc_string="Work-horse terminated unexpectedly")

    assert rounds.wake_abandoned() == [found]
    assert jobs() == [found.pk]


@pytest.mark.django_db(transaction=True)
def test_a_round_over_which_processes_die_is_left_alone_at_last(
    folders: Path, trees: Path, sign_in: SignIn, root: User
) -> None:
    found = begin(config(trees))
    for _ in range(rounds.MOST_LOSSES):
        assert rounds.wake_abandoned() == [found]
        _die_in_a_worker(found)

    run_round(found.pk)

    found.refresh_from_db()
    assert (found.state, rounds.wake_abandoned()) == (RoundState.FAILED, [])
    assert found.message == "Its process died 3 times, the last time in the step sft."
    page = sign_in(root).get(f"/training/rounds/{found.name}/").text
    assert "Work-horse terminated unexpectedly" in page

    rounds.resume(found)
    assert (found.state, found.losses) == (RoundState.QUEUED, 0)


def _die_in_a_worker(found: Round) -> None:
    """The job of the round is taken, begins a step, and its process is killed."""
    queue = django_rq.get_queue("training")
    (job,) = queue.jobs
    queue.remove(job)

    def kill(run: TrainingRun) -> TrainingRun:
        raise PowerCut

    with pytest.raises(PowerCut):
        rounds.run(found, execute=kill)
    found.steps.filter(kind="sft").update(state=StepState.RUNNING)  # nobody lived to say so
    Round.objects.filter(pk=found.pk).update(state=RoundState.RUNNING, message="")
    words = "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); "
    FailedJobRegistry(queue=queue).add(job, exc_string=words)
    Result.create_failure(job, 60, words)


def test_a_round_that_comes_on_between_losses_goes_on(folders: Path, trees: Path) -> None:
    found = begin(config(trees))
    Round.objects.filter(pk=found.pk).update(state=RoundState.RUNNING, losses=1)

    with pytest.raises(PowerCut):
        rounds.run(found, execute=breaking_at("sft"))  # the step before was done

    found.refresh_from_db()
    assert found.losses == 0
    failed = found.steps.get(kind="sft")
    assert "in execute\n    raise PowerCut" in failed.record["traceback"]


def test_a_round_waits_for_cron_while_redis_is_away(trees: Path, settings: Settings) -> None:
    there, settings.REDIS_URL = settings.REDIS_URL, "unix:///nowhere/valkey.sock"
    redis_client.cache_clear()
    found = begin(config(trees))
    rounds.resume(found)
    settings.REDIS_URL = there
    redis_client.cache_clear()

    assert jobs() == []
    assert rounds.wake_abandoned() == [found]


def test_a_job_of_a_failed_round_does_nothing(trees: Path) -> None:
    found = begin(config(trees))
    Round.objects.filter(pk=found.pk).update(state=RoundState.FAILED)

    run_round(found.pk)
    run_round(found.pk + 1)

    found.refresh_from_db()
    assert (found.state, found.started_at) == (RoundState.FAILED, None)


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


# Going live

GAIN = {"value": 1.0, "low": 0.5, "high": 1.5, "n": 20}


@pytest.fixture
def trained(folders: Path, settings: Settings) -> Round:
    """A round that has a model, of which nothing is known yet."""
    found = begin(config(None, "promote.name=tiny-chat"))
    run = runs.queue("ppo", given.config("ppo-model"), now=timezone.now(), wake=False)
    tiny.build(run.folder.final)
    lineage = {"stage": "ppo", "name": "x", "weights_sha256": "0" * 64, "config": {"kl": {}}}
    (run.folder.final / "training.json").write_text(json.dumps(lineage))
    registry.register(run)
    found.steps.exclude(kind="promote").update(state=StepState.DONE)
    found.steps.filter(kind="ppo").update(run=run)
    return found


@pytest.mark.slow
def test_a_model_without_evaluation_is_kept_back(trained: Round) -> None:
    found = rounds.run(trained)

    step = found.steps.get(kind="promote")
    assert (found.state, step.state) == (RoundState.DONE, StepState.SKIPPED)
    assert "never evaluated" in step.record["objections"][0]
    assert not ServedModel.objects.exists()


@pytest.mark.slow
def test_a_model_that_cannot_be_served_does_not_keep_its_answers_from_being_ranked(
    trained: Round,
) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN})
    for weights in Checkpoint.objects.get().folder.glob("*.safetensors"):
        weights.unlink()
    trained.steps.filter(kind="rank").update(state=StepState.WAITING)

    found = rounds.run(trained)

    skipped = dict(found.steps.filter(state=StepState.SKIPPED).values_list("kind", "message"))
    assert found.state == RoundState.DONE
    assert "safetensors" in skipped["promote"]
    assert "rank" in skipped  # nothing was answered here, but its turn came


@pytest.mark.slow
def test_a_model_that_gained_nothing_stays_out_and_the_round_goes_on(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN | {"low": -0.2}})
    trained.steps.filter(kind="rank").update(state=StepState.WAITING)

    found = rounds.run(trained)

    step = found.steps.get(kind="promote")
    assert (found.state, step.state) == (RoundState.DONE, StepState.SKIPPED)
    assert step.message.startswith("The chat keeps the model it has. Its reward is not shown")
    assert states(found)["rank"] == StepState.SKIPPED  # its turn came
    assert not ServedModel.objects.exists()


@pytest.mark.slow
def test_where_ppo_gained_nothing_the_chat_gets_what_sft_made(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN | {"low": -0.2}})
    run = runs.queue("sft", given.config("sft-model"), now=timezone.now(), wake=False)
    tiny.build(run.folder.final)
    lost = {"value": -0.1, "low": -0.2, "high": -0.05, "n": 20}
    lineage = {"stage": "sft", "name": "y", "weights_sha256": "1" * 64, "config": {}}
    lineage |= {"evaluation": {"loss_change": lost}}
    (run.folder.final / "training.json").write_text(json.dumps(lineage))
    made = registry.register(run)
    trained.steps.filter(kind="sft").update(run=run)

    found = rounds.run(trained)

    assert ServedModel.objects.get().checkpoints.get() == made
    assert Promotion.objects.get().force_reason == ""
    (card,) = (card for card in round_reading.cards(found) if card.step.kind == "promote")
    assert card.facts[0] == "The chat answers with it under the name tiny-chat."
    assert card.facts[1].startswith("Its reward is not shown to have risen")
    assert card.facts[2:] == ["So the result of SFT goes live in place of that of PPO."]


@pytest.mark.slow
def test_the_config_of_a_round_may_overrule_the_gate(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN | {"low": -0.2}})
    trained.config["promote"]["force"] = "To see it in the chat."
    trained.save()

    found = rounds.run(trained)

    kept = Promotion.objects.get()
    assert (kept.force_reason, len(kept.objections)) == ("To see it in the chat.", 1)
    (card,) = (card for card in round_reading.cards(found) if card.step.kind == "promote")
    assert card.facts == [
        "The chat answers with it under the name tiny-chat.",
        *kept.objections,
        "The gate was overruled: To see it in the chat.",
    ]


@pytest.mark.slow
def test_a_model_that_may_goes_live(trained: Round) -> None:
    Checkpoint.objects.update(evaluation={"gain": GAIN})

    found = rounds.run(trained)

    assert found.steps.get(kind="promote").record["served"] == "tiny-chat"
    assert ServedModel.objects.get().name == "tiny-chat"

    _set_back(found, "promote")
    rounds.run(found)
    assert Promotion.objects.count() == 1  # what is live already stays, and the way back with it


def _set_back(found: Round, kind: str) -> None:
    """As if the process had died before it wrote that the step is done."""
    found.steps.filter(kind=kind).update(state=StepState.RUNNING)
    Round.objects.filter(pk=found.pk).update(state=RoundState.RUNNING)
