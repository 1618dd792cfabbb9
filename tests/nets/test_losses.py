import numpy as np
import pytest
import torch

from vertseg.labels import COCCYX, SACRUM, LocateClass
from vertseg.nets.losses import (
    IGNORED,
    ExamineWeights,
    dice_counts,
    finding_loss,
    is_vertebra,
    leak_loss,
    level_loss,
    merge_logits,
    offset_loss,
    tissue_loss,
    told_apart,
)

BODY, POSTERIOR, OTHER = LocateClass.BODY, LocateClass.POSTERIOR, LocateClass.OTHER_BONE
ALL = torch.arange(5)[None]
WHOLE = torch.ones(2, 4, 4, 4, dtype=torch.bool)
VERTEBRA_ONLY = torch.tensor([[0, BODY, BODY, 0, 0]])


def test_merged_probabilities_are_sums_of_the_members() -> None:
    logits = torch.randn(1, 5, 3, 3, 3, dtype=torch.float64)
    p, merged = logits.softmax(1), merge_logits(logits, VERTEBRA_ONLY).softmax(1)
    assert torch.allclose(merged[:, BODY], p[:, BODY] + p[:, POSTERIOR])
    assert torch.allclose(merged[:, 0], p[:, 0] + p[:, 3] + p[:, OTHER])
    assert merged[:, [2, 3, 4]].max() < 1e-12


def test_a_case_without_parts_teaches_their_sum_and_not_the_split() -> None:
    """Moving probability between body and posterior must not change the loss; their sum must matter."""
    torch.manual_seed(0)
    logits = torch.randn(1, 5, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    target = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    target[:, :2] = BODY
    loss = tissue_loss(logits, target, VERTEBRA_ONLY)
    (gradient,) = torch.autograd.grad(loss, logits)
    # d loss / d logit_i = (d loss / d P) p_i for members of one group: equal gradients per probability.
    p = logits.detach().softmax(1)
    ratio = gradient / p
    assert torch.allclose(ratio[:, BODY], ratio[:, POSTERIOR])
    assert torch.allclose(ratio[:, 0], ratio[:, OTHER])
    assert (gradient[:, BODY, :2] < 0).all()
    as_body, as_posterior = logits.detach().clone(), logits.detach().clone()
    both = torch.logsumexp(as_body[:, [BODY, POSTERIOR]], 1)
    as_body[:, BODY], as_body[:, POSTERIOR] = both, -50.0
    as_posterior[:, BODY], as_posterior[:, POSTERIOR] = -50.0, both
    for moved in (as_body, as_posterior):
        assert tissue_loss(moved, target, VERTEBRA_ONLY).item() == pytest.approx(loss.item())


def test_one_batch_may_mix_cases_with_and_without_parts() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 4, 4, 4, requires_grad=True)
    target = torch.full((2, 4, 4, 4), int(POSTERIOR), dtype=torch.uint8)
    loss = tissue_loss(logits, target, torch.cat([ALL, VERTEBRA_ONLY]))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient[0, BODY] > 0).all()  # known to be posterior: body is wrong
    assert (gradient[1, BODY] < 0).all()  # only known to be vertebra: body is as right as posterior


def test_ignored_voxels_teach_nothing() -> None:
    logits = torch.randn(1, 5, 4, 4, 4, requires_grad=True)
    target = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    target[:, 2:] = IGNORED
    (gradient,) = torch.autograd.grad(tissue_loss(logits, target, ALL), logits)
    assert not gradient[:, :, 2:].any()
    assert gradient[:, :, :2].any()
    target[:] = IGNORED
    assert tissue_loss(logits, target, ALL).item() == 0


def test_a_perfect_segmentation_costs_nothing_and_a_wrong_one_does() -> None:
    target = torch.randint(0, 5, (1, 8, 8, 8), generator=torch.manual_seed(0))
    right = torch.nn.functional.one_hot(target, 5).movedim(-1, 1) * 40.0
    assert tissue_loss(right, target, ALL).item() == pytest.approx(0, abs=1e-4)
    assert tissue_loss(right.roll(1, 1), target, ALL).item() > 5


def test_a_class_is_told_apart_where_it_shares_its_group_with_no_other() -> None:
    groups = torch.cat([ALL, VERTEBRA_ONLY])
    apart = [told_apart(groups, c).tolist() for c in (BODY, POSTERIOR, LocateClass.SACRUM, OTHER)]
    assert apart == [[True, False]] * 4


def test_level_loss_counts_labelled_bone_only() -> None:
    logits = torch.zeros(1, 29, 2, 2, 2)
    level = torch.zeros(1, 2, 2, 2, dtype=torch.uint8)
    assert level_loss(logits, level).item() == 0
    level[0, 0, 0, 0] = 22
    assert level_loss(logits, level).item() == pytest.approx(np.log(29))
    level[0, 1] = IGNORED
    assert level_loss(logits, level).item() == pytest.approx(np.log(29))


def test_sacrum_and_coccyx_are_no_vertebrae() -> None:
    assert is_vertebra(torch.tensor([0, 1, 25, SACRUM, COCCYX, 28, IGNORED])).tolist() == [
        False, True, True, False, False, True, False,
    ]  # fmt: skip


def test_offset_loss_is_smooth_l1_under_the_mask() -> None:
    offset, target = torch.zeros(1, 3, 2, 1, 1), torch.full((1, 3, 2, 1, 1), 0.5)
    mask = torch.tensor([True, False]).view(1, 2, 1, 1)
    assert offset_loss(offset, target, mask).item() == pytest.approx(0.5 - 0.05)
    assert offset_loss(offset, target, ~mask & mask).item() == 0


def test_findings_unknown_in_a_case_teach_nothing_there() -> None:
    logits = torch.randn(2, 4, 4, 4, 4, requires_grad=True)
    known = torch.ones(2, 4, dtype=torch.bool)
    known[0, 1] = False
    loss = finding_loss(logits, torch.zeros(2, 4, 4, 4, 4), known, WHOLE, ExamineWeights())
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[0, 1].any()
    assert gradient[1, 1].any()
    assert (
        finding_loss(logits, torch.zeros(2, 4, 4, 4, 4), known & False, WHOLE, ExamineWeights()).item() == 0
    )


def test_empty_findings_of_confident_networks_cost_almost_nothing() -> None:
    quiet = torch.full((2, 4, 16, 16, 16), -12.0)
    known = torch.ones(2, 4, dtype=torch.bool)
    assert (
        finding_loss(
            quiet,
            torch.zeros_like(quiet),
            known,
            torch.ones_like(quiet[:, 0], dtype=torch.bool),
            ExamineWeights(),
        ).item()
        < 0.01
    )


def test_leak_loss_ignores_unknown_routes() -> None:
    target = torch.tensor([[1.0, float("nan"), 0.0, float("nan")]])
    assert leak_loss(torch.zeros(1, 4), target).item() == pytest.approx(np.log(2))
    assert leak_loss(torch.zeros(1, 4), target * float("nan")).item() == 0


def test_dice_counts() -> None:
    prediction, target = torch.tensor([1, 1, 2, 0, 1]), torch.tensor([1, 2, 2, 0, IGNORED])
    assert dice_counts(prediction, target, [1, 2]).tolist() == [[1, 2, 1], [1, 1, 2]]


def test_a_missed_finding_costs_the_same_in_a_crop_with_more_background() -> None:
    """The cross-entropy is per voxel of the vertebra, so air around it does not water a lesion down."""

    def missed(size: int) -> float:
        logits = torch.full((1, 4, size, size, size), -12.0)
        target, vertebra = torch.zeros_like(logits), torch.zeros(1, size, size, size, dtype=torch.bool)
        vertebra[:, :8, :8, :8] = True
        target[:, 0, :4, :4, :4] = 1
        return finding_loss(
            logits, target, torch.ones(1, 4, dtype=torch.bool), vertebra, ExamineWeights()
        ).item()

    assert missed(24) == pytest.approx(missed(10), rel=0.02)


def test_a_class_that_the_batch_lacks_is_not_pushed_down_by_dice() -> None:
    """Without a voxel of it in the patch, only the cross-entropy speaks of a class, and softly."""
    logits = torch.zeros(1, 5, 4, 4, 4)
    logits[:, 0] = 4.0
    logits.requires_grad_(True)
    target = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    target[:, :1] = BODY
    (gradient,) = torch.autograd.grad(tissue_loss(logits, target, ALL), logits)
    weights = torch.nn.functional.softmax(logits.detach(), 1)[:, 3] / target.numel()
    assert torch.allclose(gradient[:, 3][target == 0], weights[target == 0], atol=2e-4)


def test_class_weights_raise_the_price_of_a_miss() -> None:
    logits = torch.zeros(1, 5, 4, 4, 4)
    logits[:, 0] = 3.0
    target = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    target[:, :1] = 3
    plain = tissue_loss(logits, target, ALL)
    weighted = tissue_loss(logits, target, ALL, (1.0, 1.0, 1.0, 4.0, 1.0))
    assert weighted > plain + 0.5


def test_focal_loss_is_the_papers_formula_and_gamma_zero_is_cross_entropy() -> None:
    """Lin et al. 2017: (1 - p)^gamma * -log p of the right class, here with p = 0.9 and 0.2."""
    p = torch.tensor([0.9, 0.2])
    logits = torch.logit(p).view(1, 1, 2, 1, 1).expand(1, 4, 2, 1, 1)
    known, vertebra = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 10, 1, 1, dtype=torch.bool)
    for gamma in (0.0, 2.0):
        weights = ExamineWeights(focal_gamma=gamma, positive=(1.0,) * 4)
        found = finding_loss(logits, torch.zeros(1, 4, 2, 1, 1), known, vertebra, weights)
        expected = (p**gamma * -torch.log(1 - p)).sum() / 10
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_positive_multiplies_the_price_of_a_findings_own_voxels() -> None:
    logits, target = torch.zeros(1, 4, 10, 1, 1), torch.zeros(1, 4, 10, 1, 1)
    target[:, 0, :4] = 1
    known, vertebra = torch.tensor([[True, False, False, False]]), torch.ones(1, 10, 1, 1, dtype=torch.bool)

    def loss(positive: float) -> float:
        weights = ExamineWeights(per_finding=(1.0, 0.0, 0.0, 0.0), positive=(positive, 1, 1, 1))
        return finding_loss(logits, target, known, vertebra, weights).item()

    assert loss(5.0) - loss(1.0) == pytest.approx(4 * np.log(2) * 4 / 10, rel=1e-5)


def test_a_finding_that_no_crop_shows_is_taught_as_absent_and_no_other_is_touched() -> None:
    logits = torch.zeros(2, 4, 4, 4, 4, requires_grad=True)
    target = torch.zeros(2, 4, 4, 4, 4)
    target[:, 1, 0] = 1
    known = torch.tensor([[True, True, False, False]] * 2)
    (gradient,) = torch.autograd.grad(finding_loss(logits, target, known, WHOLE, ExamineWeights()), logits)
    assert (gradient[:, 0] > 0).all()
    assert (gradient[:, 1, 0] < 0).all() and (gradient[:, 1, 1:] > 0).all()
    assert not gradient[:, 2:].any()


def test_losses_of_bf16_logits_are_those_of_the_same_numbers_in_float32() -> None:
    generator = torch.manual_seed(0)
    rough = torch.randn(2, 4, 12, 12, 12, generator=generator).bfloat16()
    target = (torch.rand(2, 4, 12, 12, 12, generator=generator) < 0.1).float()
    known, vertebra = torch.ones(2, 4, dtype=torch.bool), target.any(1)
    pairs = [
        [finding_loss(x, target, known, vertebra, ExamineWeights()) for x in (rough, rough.float())],
        [
            tissue_loss(x, target.argmax(1), torch.arange(4).expand(2, 4), (1.0, 1.0, 2.0, 1.0))
            for x in (rough, rough.float())
        ],
        [leak_loss(x[:, :, 0, 0, 0], target[:, :, 0, 0, 0]) for x in (rough, rough.float())],
        [offset_loss(x[:, :3], target[:, :3], vertebra) for x in (rough, rough.float())],
        [level_loss(x, target.argmax(1)) for x in (rough, rough.float())],
    ]
    for low, full in pairs:
        assert low.dtype == torch.float32
        assert low.item() == full.item()
