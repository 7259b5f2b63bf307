"""The mathematics of PPO against numbers worked out by hand."""

import math

import pytest
import torch
from torch import tensor

from training import ppo_math


def near(found: torch.Tensor, wanted: list[float] | list[list[float]]) -> None:
    torch.testing.assert_close(found, tensor(wanted), atol=1e-6, rtol=1e-5)


def test_a_mask_covers_each_answer_and_nothing_behind_it() -> None:
    assert ppo_math.response_mask(tensor([1, 3]), 3).tolist() == [[1, 0, 0], [1, 1, 1]]


def test_whitened_advantages_leave_padding_out() -> None:
    mask = tensor([[1.0, 1.0], [1.0, 0.0]])

    # Mean of 1, 2, 3 is 2, variance 2/3; the 100 behind the second answer counts for nothing.
    near(
        ppo_math.whiten(tensor([[1.0, 2.0], [3.0, 100.0]]), mask),
        [[-math.sqrt(1.5), 0.0], [math.sqrt(1.5), 0.0]],
    )


def test_whitening_equal_values_gives_zeros_and_no_nan() -> None:
    assert ppo_math.whiten(torch.ones(1, 2), torch.ones(1, 2)).tolist() == [[0, 0]]


def test_both_estimators_of_kl_follow_their_formulas() -> None:
    log_probs, ref = tensor([[math.log(0.5), -1.0]]), tensor([[math.log(0.25), -1.0]])

    near(ppo_math.kl_estimate(log_probs, ref, estimator="k1"), [[math.log(2), 0.0]])
    near(ppo_math.kl_estimate(log_probs, ref, estimator="k3"), [[0.5 - 1 + math.log(2), 0.0]])


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_both_estimators_of_kl_have_the_true_kl_as_their_mean(estimator: str) -> None:
    policy, ref = tensor([0.7, 0.2, 0.1]), tensor([0.3, 0.3, 0.4])
    true = float((policy * (policy / ref).log()).sum())

    each = ppo_math.kl_estimate(policy.log(), ref.log(), estimator=estimator)

    assert float((policy * each).sum()) == pytest.approx(true, rel=1e-6)


def test_an_estimator_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="k2"):
        ppo_math.kl_estimate(torch.zeros(1), torch.zeros(1), estimator="k2")


def test_the_score_falls_on_the_last_token_of_each_answer() -> None:
    mask = tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    kl = tensor([[1.0, 2.0, 9.0], [0.0, -1.0, 1.0]])

    rewards = ppo_math.token_rewards(tensor([10.0, 20.0]), kl, mask, coefficient=0.5)

    near(rewards, [[-0.5, 9.0, 0.0], [0.0, 0.5, 19.5]])


def test_only_answers_that_were_cut_off_pay_for_it() -> None:
    scores = ppo_math.penalise_missing_end(tensor([1.0, 1.0]), tensor([True, False]), penalty=2.5)

    near(scores, [1.0, -1.5])


def test_an_answer_is_held_against_the_others_to_its_prompt() -> None:
    found = ppo_math.less_others(tensor([1.0, 5.0, 3.0, 8.0]), ["a", "b", "a", "a"])

    # The others of 1 are 3 and 8, mean 5.5; of 3 they are 1 and 8; of 8, 1 and 3. 5 is alone.
    near(found, [-4.5, 0.0, -1.5, 6.0])


def test_gae_equals_an_example_worked_out_by_hand() -> None:
    # γ = 0.5, λ = 0.5, so γλ = 0.25. Rewards 1, 2, 4; values 2, 4, 8.
    # δ3 = 4 - 8 = -4; δ2 = 2 + 0.5·8 - 4 = 2; δ1 = 1 + 0.5·4 - 2 = 1.
    # A3 = -4; A2 = 2 + 0.25·(-4) = 1; A1 = 1 + 0.25·1 = 1.25.
    advantages, returns = ppo_math.gae(
        tensor([[1.0, 2.0, 4.0]]),
        tensor([[2.0, 4.0, 8.0]]),
        torch.ones(1, 3),
        gamma=0.5,
        lam=0.5,
    )

    near(advantages, [[1.25, 1.0, -4.0]])
    near(returns, [[3.25, 5.0, 4.0]])


def test_gae_of_a_short_answer_ignores_what_stands_behind_it() -> None:
    rewards, values = tensor([[1.0, 2.0]]), tensor([[2.0, 4.0]])
    alone = ppo_math.gae(rewards, values, torch.ones(1, 2), gamma=1.0, lam=0.95)
    padding = tensor([[77.0, -5.0]])

    padded = ppo_math.gae(
        torch.cat([rewards, padding], dim=1),
        torch.cat([values, padding], dim=1),
        tensor([[1.0, 1.0, 0.0, 0.0]]),
        gamma=1.0,
        lam=0.95,
    )

    near(padded[0], [[*alone[0][0].tolist(), 0.0, 0.0]])
    near(padded[1], [[*alone[1][0].tolist(), 0.0, 0.0]])


def test_gae_with_lambda_one_is_return_less_value() -> None:
    advantages, _ = ppo_math.gae(
        tensor([[0.0, 0.0, 3.0]]), tensor([[1.0, 2.0, 4.0]]), torch.ones(1, 3), gamma=1.0, lam=1.0
    )

    near(advantages, [[2.0, 1.0, -1.0]])


def test_the_ratio_is_clipped_only_where_that_makes_the_loss_larger() -> None:
    ratios, advantages = tensor([1.5, 0.5, 1.5, 0.5]), tensor([1.0, 1.0, -1.0, -1.0])

    found = ppo_math.policy_loss(ratios.log(), torch.zeros(4), advantages, clip=0.2)

    near(found.loss, [-1.2, -0.5, 1.5, 0.8])
    assert found.clipped.tolist() == [1, 0, 0, 1]
    near(found.kl, [r - 1 - math.log(r) for r in (1.5, 0.5, 1.5, 0.5)])


def test_a_clipped_ratio_has_no_gradient() -> None:
    log_probs = tensor([math.log(1.5), math.log(1.1)], requires_grad=True)

    ppo_math.policy_loss(log_probs, torch.zeros(2), torch.ones(2), clip=0.2).loss.sum().backward()

    near(log_probs.grad, [0.0, -1.1])


def test_a_value_is_clipped_around_the_one_of_the_rollout() -> None:
    # Old 0, clip 0.2. A value of 1 is held at 0.2: towards a return of 2 that costs more.
    loss, clipped = ppo_math.value_loss(
        tensor([1.0, 1.0, 0.1]), torch.zeros(3), tensor([2.0, 0.0, 1.0]), clip=0.2
    )

    near(loss, [0.5 * 1.8**2, 0.5 * 1.0, 0.5 * 0.9**2])
    assert clipped.tolist() == [1, 0, 0]


def test_entropy_is_log_of_the_number_of_equal_choices() -> None:
    near(ppo_math.entropy(torch.zeros(1, 4).log_softmax(-1)), [math.log(4)])
    near(ppo_math.entropy(tensor([[50.0, 0.0, 0.0]]).log_softmax(-1)), [0.0])


@pytest.mark.parametrize(
    ("values", "share"), [([1.0, 2.0, 3.0], 1.0), ([2.0, 2.0, 2.0], 0.0), ([3.0, 2.0, 1.0], -3.0)]
)
def test_explained_variance_of_a_critic(values: list[float], share: float) -> None:
    returns, mask = tensor([[1.0, 2.0, 3.0, 50.0]]), tensor([[1.0, 1.0, 1.0, 0.0]])

    found = ppo_math.explained_variance(tensor([[*values, 0.0]]), returns, mask)

    assert found == pytest.approx(share)


def test_running_moments_of_batches_equal_those_of_all_at_once() -> None:
    moments = ppo_math.RunningMoments()
    values = tensor([3.0, -1.0, 4.0, 1.0, 5.0, 9.0, 2.0])
    for batch in values.split([1, 4, 2]):
        moments.add(batch)

    assert moments.count == 7
    assert moments.mean == pytest.approx(float(values.mean()))
    assert moments.deviation == pytest.approx(float(values.std(correction=0)))
    near(moments.whiten(values[:1]), [(3 - moments.mean) / moments.deviation])


def test_running_moments_keep_scores_that_never_differ_finite() -> None:
    moments = ppo_math.RunningMoments()
    moments.add(torch.ones(3))

    assert moments.whiten(torch.ones(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("kl", "coefficient"),
    [
        (6.6, 0.1 * (1 + 0.1 * 0.5)),  # a tenth above the target
        (600.0, 0.1 * (1 + 0.2 * 0.5)),  # far above: held at a fifth
        (0.0, 0.1 * (1 - 0.2 * 0.5)),
        (6.0, 0.1),
    ],
)
def test_the_adaptive_coefficient_follows_the_target(kl: float, coefficient: float) -> None:
    controller = ppo_math.KlController(0.1, target=6.0, horizon=64)

    controller.update(kl, answers=32)

    assert controller.coefficient == pytest.approx(coefficient)


def test_the_fixed_coefficient_stays() -> None:
    controller = ppo_math.KlController(0.1, target=6.0)

    controller.update(600.0, answers=32)

    assert controller.coefficient == 0.1
