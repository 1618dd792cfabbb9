"""Losses that learn from what a case has annotated and ignore the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from monai.losses import DiceLoss, FocalLoss
from torch import Tensor
from torch.nn import functional as F

from vertseg.labels import COCCYX, SACRUM

IGNORED: Final = 255
"""Target value of voxels that teach nothing."""

_SMOOTH_VOXELS: Final = 10.0
"""Dice smoothing: a class that is absent from a patch costs little once few voxels are taken for it."""

_EMPTY_LOGIT: Final = -1e4


@dataclass(frozen=True)
class LocateWeights:
    """Weights of the locate losses' terms, and of the cross-entropy per `labels.LocateClass`."""

    tissue: float = 1.0
    tissue_half: float = 0.3
    level: float = 0.4
    offset: float = 1.0
    tissue_classes: tuple[float, ...] = (1.0, 1.0, 1.0, 4.0, 1.0)


@dataclass(frozen=True)
class ExamineWeights:
    """Weights of the examine losses' terms, and per finding (in the order of `labels.FINDINGS`).

    Attributes:
        tissue_half, findings_half: deep supervision at half resolution; 0 leaves it out.
        positive: multiplies the cross-entropy of a finding's own voxels, which are few.
        focal_gamma: exponent that takes the weight off voxels that are already right (Lin et al. 2017, ICCV,
            "Focal loss for dense object detection": 2); 0 is plain cross-entropy.
    """

    tissue: float = 1.0
    tissue_half: float = 0.3
    findings: float = 1.0
    findings_half: float = 0.3
    leak: float = 0.1
    per_finding: tuple[float, ...] = (1.5, 0.75, 1.5, 0.75)
    positive: tuple[float, ...] = (3.0, 3.0, 6.0, 3.0)
    focal_gamma: float = 0.0


def _precise(logits: Tensor) -> Tensor:
    """Logits in float32 at least: sums over a crop's voxels need more digits than bf16 has."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def merge_logits(logits: Tensor, groups: Tensor) -> Tensor:
    """Logits (N, C, ...) of groups of classes, whose softmax is the sum of the members' probabilities.

    `groups` (N, C) gives each class's group, numbered like the classes; an empty group gets probability 0.
    With groups (0, 1, 1, 3, 0), for instance, only background-like, vertebra and sacrum are told apart.
    """
    classes = logits.shape[1]
    if bool((groups == torch.arange(classes, device=groups.device)).all()):
        return logits
    merged = []
    for sample, own in zip(logits, groups, strict=True):
        members = [sample[own == g] for g in range(classes)]
        empty = torch.full_like(sample[0], _EMPTY_LOGIT)
        merged.append(torch.stack([torch.logsumexp(m, 0) if len(m) else empty for m in members]))
    return torch.stack(merged)


def merge_target(target: Tensor, groups: Tensor) -> Tensor:
    """Group number (N, ...) of each voxel's class; `IGNORED` stays."""
    table = F.pad(groups.long(), (0, IGNORED + 1 - groups.shape[1]), value=IGNORED)
    return torch.gather(table, 1, target.long().flatten(1)).view(target.shape)


def told_apart(groups: Tensor, number: int) -> Tensor:
    """Cases (N,) of `groups` (N, C) that annotate a class apart from all others."""
    return (groups == number).sum(1).eq(1) & groups[:, number].eq(number)


def tissue_loss(
    logits: Tensor, target: Tensor, groups: Tensor, class_weights: Sequence[float] | None = None
) -> Tensor:
    """Dice + cross-entropy of logits (N, C, X, Y, Z) against class numbers (N, X, Y, Z) under `groups` (N, C).

    Dice counts the classes that the batch holds and no others: a class that most patches lack (the sacrum) was
    pushed to zero by the patches without it and never came back. `class_weights` (C,) weigh the cross-entropy.
    """
    merged, wanted = merge_logits(_precise(logits), groups), merge_target(target, groups)
    if bool((wanted == IGNORED).all()):
        return logits.sum() * 0.0
    weight = None if class_weights is None else merged.new_tensor(class_weights)
    entropy = F.cross_entropy(merged, wanted, weight=weight, ignore_index=IGNORED)
    valid = (wanted != IGNORED).unsqueeze(1)
    onehot = F.one_hot(wanted.clamp_max(merged.shape[1] - 1), merged.shape[1]).movedim(-1, 1) * valid
    present = onehot.flatten(2).any(2).any(0)
    present[0] = False
    if not bool(present.any()):
        return entropy
    dice = DiceLoss(smooth_nr=_SMOOTH_VOXELS, smooth_dr=_SMOOTH_VOXELS)
    loss: Tensor = entropy + dice(
        (merged.softmax(1) * valid)[:, present], onehot[:, present].to(merged.dtype)
    )
    return loss


def level_loss(logits: Tensor, level: Tensor) -> Tensor:
    """Cross-entropy of level logits (N, 29, ...) over voxels with a level (N, ...); 0 and `IGNORED` teach nothing."""
    labelled = (level > 0) & (level != IGNORED)
    if not bool(labelled.any()):
        return logits.sum() * 0.0
    return F.cross_entropy(_precise(logits.movedim(1, -1)[labelled]), level[labelled].long())


def is_vertebra(level: Tensor) -> Tensor:
    """Voxels whose level number is a vertebra's (not background, sacrum, coccyx or ignored)."""
    return (level > 0) & (level != SACRUM) & (level != COCCYX) & (level != IGNORED)


def offset_loss(offset: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Smooth L1 of offsets (N, 3, ...) against `target` where `mask` (N, ...) is true."""
    if not bool(mask.any()):
        return offset.sum() * 0.0
    return F.smooth_l1_loss(_precise(offset.movedim(1, -1)[mask]), target.movedim(1, -1)[mask], beta=0.1)


def finding_loss(
    logits: Tensor, target: Tensor, known: Tensor, vertebra: Tensor, weights: ExamineWeights
) -> Tensor:
    """Batch Dice + weighted binary (focal) cross-entropy per finding, averaged with the findings' weights.

    The cross-entropy is summed over the crop and divided by the vertebra's voxels, not the crop's: a lesion is a
    hundredth of a crop but a tenth of a vertebra, and averaged over the crop it taught almost nothing. Dice counts
    only where the batch holds the finding: batches without it had pushed the rare ones to zero.

    Args:
        logits: (N, F, X, Y, Z).
        target: 0/1, same shape.
        known: (N, F) bool, whether the case has this finding annotated.
        vertebra: (N, X, Y, Z) bool, the examined vertebra.
        weights: per-finding and positive weights.
    """
    logits = _precise(logits)
    focal = FocalLoss(gamma=weights.focal_gamma, reduction="none")
    per_finding = logits.new_tensor(weights.per_finding)
    terms = []
    for f in range(logits.shape[1]):
        rows = known[:, f]
        if not bool(rows.any()):
            continue
        own, wanted = logits[rows, f : f + 1], target[rows, f : f + 1].to(logits.dtype)
        price = 1.0 + (weights.positive[f] - 1.0) * wanted
        entropy = (focal(own, wanted) * price).sum()
        entropy = entropy / vertebra[rows].sum().clamp_min(_SMOOTH_VOXELS)
        if bool(wanted.any()):
            dice = DiceLoss(batch=True, sigmoid=True, smooth_nr=_SMOOTH_VOXELS, smooth_dr=_SMOOTH_VOXELS)
            entropy = entropy + dice(own, wanted)
        terms.append(per_finding[f] * entropy)
    if not terms:
        return logits.sum() * 0.0
    return torch.stack(terms).sum() / per_finding.sum()


def leak_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of route logits (N, 4) against 0/1 (N, 4); NaN is not annotated."""
    known = ~target.isnan()
    if not bool(known.any()):
        return logits.sum() * 0.0
    return F.binary_cross_entropy_with_logits(_precise(logits[known]), target[known])


def dice_counts(prediction: Tensor, target: Tensor, classes: Sequence[int]) -> Tensor:
    """(C, 3) counts per class of two label maps: intersection, predicted, target voxels; `IGNORED` left out."""
    valid = target != IGNORED
    rows = []
    for c in classes:
        p, t = (prediction == c) & valid, target == c
        rows.append(torch.stack([(p & t).sum(), p.sum(), t.sum()]))
    return torch.stack(rows).float()
