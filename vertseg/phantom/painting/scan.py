"""Paint new CT with new pathology on a real label map: whole scans and single training crops."""

from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.cement.site import InjectionSite
from vertseg.errors import ConfigError
from vertseg.labels import SACRUM, LocateClass, level_name
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.crop import PATHOLOGY_BOOST, crop_frame, developed_crop
from vertseg.phantom.injection_site import SITE_SPACING_MM, painted_site, site_canvas
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy
from vertseg.phantom.painting.painted_body import PaintedBody, draw_body
from vertseg.phantom.painting.painted_canvas import PaintedCanvas
from vertseg.phantom.painting.painted_spine import paint_mapped_vertebra
from vertseg.phantom.painting.painted_tissue import mapped_bones, paint_tissues
from vertseg.phantom.pathology.sickness import redrawn
from vertseg.phantom.pathology.treatment import paint_treatment
from vertseg.phantom.render import developed, paint_surroundings
from vertseg.phantom.scanner.acquisition import Acquisition, acquire, crop_acquisition
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.types import Array, ExamineCrop, PhantomScan, ScanConfig, VertebraShape
from vertseg.phantom.vertebra.bones import paint_union, paint_vertebra
from vertseg.phantom.vertebra.marrow import GRAIN_MM
from vertseg.volume import Grid

_SHORTEST_FIELD_MM: Final = 80.0


def paint_scan(
    labelled: LabelledAnatomy, seed: int, config: ScanConfig | None = None, deform: float = 1.0
) -> PhantomScan:
    """A scan of a patient made of a label map, with all labels; (X, Y, Z) arrays in RAS, HU and mm.

    Args:
        labelled: the map (see `labelled_anatomy.read_labelled_anatomy`).
        seed: the same seed gives the same scan.
        config: as for drawn phantoms; without one, and with the field "whole", all that the map holds is seen.
        deform: strength of the random deformation; 0 paints the map as it is, on its own grid where the
            config asks for no spacing.
    """
    config = config or ScanConfig(field="whole")
    body = draw_body(labelled, seed, config, deform)
    acquisition = _acquisition(body, config, deform)
    grid = acquisition.painted_grid()
    canvas = Canvas(grid, acquisition.patient_from_world, acquisition.psf_mm, config.device)
    sheet = paint_body(canvas, body)
    return developed(canvas, sheet, body.anatomy, acquisition)


def painted_crop(
    labelled: LabelledAnatomy,
    level: int,
    seed: int,
    shape: tuple[int, int, int] = (64, 64, 64),
    spacing_mm: float = 1.5,
    device: str = "cpu",
    inject: bool = True,
) -> ExamineCrop:
    """One mapped vertebra in its own frame (right, anterior, up) as a training crop, like `crop.render_crop`.

    The map's digest, level and seed name the crop: the same three give the same arrays. `inject` simulates a
    drawn plan for the leak labels, which are NaN without it.

    Raises:
        ConfigError: the map does not hold that level whole.
    """
    if level not in labelled.levels:
        held = ", ".join(level_name(n) for n in labelled.levels)
        raise ConfigError(f"The label map does not hold {level_name(level)} whole; it holds {held}.")
    rng = np.random.default_rng([seed, level, 47])
    body = draw_body(labelled, seed, ScanConfig(device=device), 1.0)
    anatomy = redrawn(body.anatomy, level, PATHOLOGY_BOOST, rng)
    # The map's bones stay where they are: what is drawn sinks onto a collapsed vertebra, what is mapped does not.
    column = tuple(
        replace(new, centre_mm=old.centre_mm)
        for new, old in zip(anatomy.vertebrae, body.anatomy.vertebrae, strict=True)
    )
    body = replace(body, anatomy=replace(anatomy, vertebrae=column))
    target = next(s for s in column if s.level == level)
    grid = crop_frame(target, rng, (shape, spacing_mm))
    acquisition = crop_acquisition(grid, rng)
    canvas = Canvas(grid, np.eye(4), acquisition.psf_mm, device)
    sheet = paint_body(canvas, body)
    site = partial(_site, body, target, device) if inject else None
    return developed_crop(canvas, sheet, (body.anatomy, target, acquisition), rng, site)


def paint_body(canvas: Canvas, body: PaintedBody) -> LabelSheet:
    """Paint everything that the canvas sees: the map's structures, and what it leaves out."""
    scene = PaintedCanvas.of(canvas, body)
    drawn = body.labelled.hull is None
    sheet = _drawn_around(scene) if drawn else paint_tissues(scene)
    grain = NoiseTile(canvas, GRAIN_MM, body.anatomy.seed)
    if drawn:
        for shape in body.anatomy.vertebrae:
            if shape.level not in body.healthy:
                paint_vertebra(canvas, sheet, shape, body.anatomy, grain)
    for vertebra in body.labelled.vertebrae:
        paint_mapped_vertebra(scene, sheet, vertebra, grain)
    paint_treatment(canvas, sheet, body.anatomy)
    return sheet


def _drawn_around(scene: PaintedCanvas) -> LabelSheet:
    """The phantom's own body around a map that holds but a spine, and the map's sacrum."""
    canvas, body = scene.canvas, scene.body
    sheet = paint_surroundings(canvas, body.anatomy)
    sacrum = mapped_bones(scene).get("sacrum")
    if sacrum is not None:
        bone = (LocateClass.SACRUM, SACRUM, 0.7 * body.anatomy.hu["trabecular"])
        paint_union(canvas, sheet, sacrum, bone, body.anatomy)
    return sheet


def _site(body: PaintedBody, shape: VertebraShape, device: str) -> InjectionSite:
    """A mapped vertebra as `injection_site.injection_site` gives a drawn one."""
    canvas = site_canvas(body.anatomy, shape, SITE_SPACING_MM, device)
    scene, sheet = PaintedCanvas.of(canvas, body), LabelSheet.blank(canvas)
    vertebra = next(v for v in body.labelled.vertebrae if v.level == shape.level)
    paint_mapped_vertebra(scene, sheet, vertebra, NoiseTile(canvas, GRAIN_MM, body.anatomy.seed))
    return painted_site(canvas, sheet, shape)


def _acquisition(body: PaintedBody, config: ScanConfig, deform: float) -> Acquisition:
    """How the scanner takes this patient: as a drawn one, but no farther than the map goes."""
    taken = acquire(body.anatomy, config)
    seen = _placed(taken.grid.corners_mm(), taken.patient_from_world)
    if deform <= 0:
        pose = np.eye(4)
        pose[:3, 3] = body.deformation.origin_mm - body.deformation.pivot_mm
        taken = replace(taken, patient_from_world=pose)
        if config.spacing_mm is None and body.labelled.hull is not None:
            return replace(taken, grid=body.labelled.grid)
    return replace(taken, grid=_field_of_view(body, config, taken, seen))


def _placed(points_mm: Array, matrix: NDArray[np.floating]) -> Array:
    return np.asarray(points_mm @ matrix[:3, :3].T + matrix[:3, 3])


def _field_of_view(body: PaintedBody, config: ScanConfig, taken: Acquisition, seen_mm: Array) -> Grid:
    """World-aligned grid of the acquisition's spacing over the map, cut to what a scanner would see.

    Args:
        body: the patient.
        config: its field "whole" is not cut.
        taken: pose and spacing.
        seen_mm: (8, 3) corners of the scanner's own field, patient mm.
    """
    world = np.linalg.inv(taken.patient_from_world)

    def span(patient_mm: Array) -> tuple[Array, Array]:
        """Middle of the low and of the high four corners along each axis."""
        placed = np.sort(_placed(patient_mm, world), axis=0)
        return placed[:4].mean(0), placed[4:].mean(0)

    low, high = span(body.deformation.patient_points(body.labelled.grid.corners_mm()))
    own_low, own_high = span(seen_mm)
    drawn = body.labelled.hull is None
    for axis in range(3):
        cut = (max(low[axis], own_low[axis]), min(high[axis], own_high[axis]))
        if drawn and axis < 2:
            low[axis], high[axis] = own_low[axis], own_high[axis]
        elif config.field != "whole" and cut[1] - cut[0] > _SHORTEST_FIELD_MM:
            low[axis], high[axis] = cut
    spacing = np.asarray(taken.grid.spacing_mm)
    shape = np.maximum(np.round((high - low) / spacing).astype(int), 16)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = 0.5 * (low + high) - spacing * (shape - 1) / 2
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)
