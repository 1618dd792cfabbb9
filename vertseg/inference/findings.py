"""What a prediction found: the values that reports are written from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import level_name
from vertseg.planning.measures import Measures
from vertseg.volume import Volume


@dataclass(frozen=True)
class Vertebra:
    """One vertebra as the locate stage hands it to the examine stage.

    Attributes:
        level: VerSe level number.
        confidence: 0 to 1; the level's posterior probability in the column times the mean vertebra
            probability, times `column.CUT_FACTOR` where the field of view cuts the vertebra.
        centroid_mm: (3,) body centre in world RAS mm.
        axes: (3, 3) whose columns are right, anterior and up in world RAS.
        marker: bool volume on the locate grid, cropped to this vertebra's bounding box.
        cut_by_field: the vertebra touches the edge of the scan.
        inferred: the locate network did not see it; the column leaves room for it (see `gaps`).
    """

    level: int
    confidence: float
    centroid_mm: NDArray[np.float64]
    axes: NDArray[np.float64]
    marker: Volume
    cut_by_field: bool
    inferred: bool = False

    @property
    def name(self) -> str:
        """Name of the level, such as "L1"."""
        return level_name(self.level)


@dataclass(frozen=True)
class VertebraFindings:
    """What is known of one vertebra at the end.

    Attributes:
        leak: probability of a cement leak for each of `vertseg.labels.LEAK_ROUTES`, and "any".
        leak_confidence: that "any leak" or "no leak", whichever is likelier, comes true; 0.5 to 1.
        leak_abstained: whether those should not be used: the scan is unlike what the leak head was fitted to, the
            risk is a toss-up, or the checkpoint's leak head is not calibrated.
        leak_features: (D,) what the leak head reads of it, from which `leak_model` gives the risk of any plan; None
            where the graph was exported before they were an output.
        inferred: only the examine network saw it, in a gap of the column.
    """

    level: int
    confidence: float
    centroid_mm: tuple[float, float, float]
    axes: NDArray[np.float64]
    cut_by_field: bool
    measures: Measures
    leak: dict[str, float]
    inferred: bool = False
    leak_confidence: float = 0.5
    leak_abstained: bool = True
    leak_features: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """Name of the level, such as "L1"."""
        return level_name(self.level)


@dataclass(frozen=True)
class Provenance:
    """What a prediction was made from and with.

    Attributes:
        scan: path of the input.
        scan_sha256: hash of the input file, of the voxels for an array.
        description: what the input says of itself (modality, series, manufacturer and the like).
        checkpoints: task ("locate", "examine") -> its sha256, steps and training sets.
        versions: package -> version.
        device: where the networks ran.
        engine: what ran them.
    """

    scan: str
    scan_sha256: str
    description: dict[str, str]
    checkpoints: dict[str, dict[str, object]]
    versions: dict[str, str]
    device: str
    engine: str


@dataclass(frozen=True)
class Findings:
    """All that a prediction gives, on the input's own grid.

    Attributes:
        levels: uint8 VerSe numbers, the sacrum included.
        tissue: uint8 `vertseg.labels.Tissue` numbers.
        masks: one uint8 volume for each of `vertseg.labels.FINDINGS`.
        vertebrae: from head to foot.
        seconds: stage -> seconds.
        warnings: sentences for the reader.
        probabilities: one float16 volume for each of `vertseg.labels.FINDINGS`, where they were asked for.
    """

    levels: Volume
    tissue: Volume
    masks: dict[str, Volume]
    vertebrae: tuple[VertebraFindings, ...]
    seconds: dict[str, float]
    provenance: Provenance
    warnings: tuple[str, ...] = ()
    probabilities: dict[str, Volume] | None = None

    @property
    def lytic_lesion(self) -> Volume:
        """Mask of bone that is dissolved, uint8."""
        return self.masks["lytic_lesion"]

    @property
    def sclerotic_lesion(self) -> Volume:
        """Mask of bone that is denser than it should be, uint8."""
        return self.masks["sclerotic_lesion"]

    @property
    def posterior_wall_defect(self) -> Volume:
        """Mask of the posterior wall's shell where cortex is missing, uint8."""
        return self.masks["posterior_wall_defect"]

    @property
    def cement(self) -> Volume:
        """Mask of cement, uint8."""
        return self.masks["cement"]
