"""The alarms in plain words: what is seen, what it means, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training.models import TrainingRun


@dataclass(frozen=True)
class Warning:
    """`title` says what is seen, with numbers; `advice` what it means and what to do."""

    code: str
    step: int
    title: str
    advice: str | Promise


WORDS: dict[str, tuple[str | Promise, str | Promise]] = {
    "no_number": (
        _("The loss is no number any more"),
        _("The weights are lost from here on. Start again with a lower learning rate (optim.lr), "
          "or in bfloat16 instead of float16; the batch that did it is saved beside the log."),
    ),
    "loss_explodes": (
        _("The loss grew from %(before).2f to %(now).2f"),
        _("The steps are too large: the model forgets instead of learning. Lower the learning "
          "rate (optim.lr) to a tenth, or warm up longer."),
    ),
    "loss_does_not_fall": (
        _("The loss does not fall: %(before).2f at first, %(now).2f now"),
        _("The model learns nothing. Raise the learning rate (optim.lr), and see in the preview "
          "that the answers are what is learned from."),
    ),
    "overfits": (
        _("On held-out trees the loss rose from %(best).2f to %(now).2f while the other one falls"),
        _("The model learns its examples by heart. Use the checkpoint before, fewer epochs, or "
          "more data."),
    ),
    "guesses": (
        _("The reward model is right in %(accuracy).2f of the pairs, a coin in 0.50"),
        _("It has learned nothing of what people prefer, and PPO would follow noise. Look at the "
          "agreement of the rankings, train longer, or collect more of them."),
    ),
    "kl_over_budget": (
        _("The KL is %(kl).1f nats, %(times).1f times its budget"),
        _("The policy drifts away from the SFT model, where the reward model knows nothing. Lower "
          "the learning rate (optim.lr) or raise kl.coefficient."),
    ),
    "kl_negative": (
        _("The KL is negative: %(kl).1f"),
        _("The answers were drawn from another distribution than the one that is scored. Set "
          "temperature to 1, top_p to 1 and top_k to 0, or take the estimator k3."),
    ),
    "kl_is_free": (
        _("The KL costs nothing and is %(kl).1f nats already"),
        _("Nothing holds the policy near the SFT model. Set kl.coefficient above 0."),
    ),
    "entropy_collapses": (
        _("The entropy fell to %(share).2f of what it was"),
        _("The policy gives the same answer again and again and explores no more. Raise "
          "kl.coefficient, lower the learning rate, or stop at an earlier checkpoint."),
    ),
    "answers_grow_longer": (
        _("Answers grew from %(before).0f to %(now).0f tokens"),
        _("Perhaps the reward model pays for length. Compare its accuracy by length gap, read the "
          "samples, and shorten rollout.max_new_tokens or train the reward model on more pairs in "
          "which the shorter answer wins."),
    ),
    "answers_grow_shorter": (
        _("Answers shrank from %(before).0f to %(now).0f tokens"),
        _("The policy ends at once, which saves it KL. Read the samples; lower "
          "score.missing_eos_penalty or the KL coefficient."),
    ),
    "answers_never_end": (
        _("Only %(rate).2f of the answers end by themselves"),
        _("Nearly all are cut off. Give them more room (rollout.max_new_tokens), raise "
          "score.missing_eos_penalty, or see whether SFT learned to end."),
    ),
    "value_learns_nothing": (
        _("The value function explains nothing of the rewards (%(explained).2f)"),
        _("Advantages are noise without it. Raise loss.value_lr or loss.value_coefficient, or "
          "let it learn some rollouts longer."),
    ),
    "clips_too_much": (
        _("%(share).2f of the tokens are clipped"),
        _("Each update goes further than it may. Lower the learning rate, or take fewer epochs "
          "over each rollout (loss.epochs)."),
    ),
    "reward_is_unproven": (
        _("The reward model is right in %(accuracy).2f of its held-out pairs, as a coin may be"),
        _("PPO learns whatever it scores well, chance included. Train it longer or on more "
          "rankings, and see that it beats a coin, before its policy goes live."),
    ),
    "reward_says_nothing": (
        _("All answers get the same reward"),
        _("There is nothing to learn from. See whether the reward model was loaded with its "
          "trained head."),
    ),
    "reward_does_not_rise": (
        _("The reward does not rise: %(before).2f at first, %(now).2f now"),
        _("The policy learns nothing of it: the reward model may say nothing about these prompts, "
          "or the learning rate is too low."),
    ),
    "reward_is_hacked": (
        _("The reward rises, but on held-out prompts it fell from %(best).2f to %(now).2f"),
        _("The policy has found a weakness of the reward model. Use an earlier checkpoint, raise "
          "kl.coefficient, and let people rank its newest answers."),
    ),
}  # fmt: skip


def warnings_of(run: TrainingRun) -> list[Warning]:
    """The run's alarms in words, oldest first."""
    return [_in_words(alarm) for alarm in run.alarms]


def _in_words(alarm: dict[str, Any]) -> Warning:
    title, advice = WORDS[alarm["code"]]
    return Warning(alarm["code"], alarm["step"], str(title) % alarm["values"], advice)
