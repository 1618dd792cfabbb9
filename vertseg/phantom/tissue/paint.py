"""Everything that is not bone, from the skin inward, where the canvas sees it."""

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.skeleton.limbs import paint_hips, paint_neck, paint_shoulders
from vertseg.phantom.skeleton.ribs import paint_cartilages
from vertseg.phantom.skeleton.skull import paint_head
from vertseg.phantom.tissue.bowel import paint_bowel
from vertseg.phantom.tissue.canal import paint_canal, paint_discs
from vertseg.phantom.tissue.organs import paint_organs
from vertseg.phantom.tissue.paraspinal import paint_back_muscles
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.table import paint_blanket, paint_table
from vertseg.phantom.tissue.tissues import tissues_of
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.tissue.trunk import Chest, paint_chest, paint_trunk
from vertseg.phantom.tissue.vessels import paint_airway, paint_vessels
from vertseg.phantom.types import Anatomy


def paint_soft_tissue(canvas: Canvas, anatomy: Anatomy) -> None:
    """Paint soft tissue, gas and table; bones are painted over them later."""
    tissues = tissues_of(anatomy)
    frame, torso = SpineFrame(anatomy, canvas.device), Torso(anatomy, canvas.device)
    chest = Chest(torso, anatomy)
    paint_shoulders(canvas, torso, anatomy, tissues)
    paint_trunk(canvas, torso, anatomy, tissues)
    paint_hips(canvas, frame, anatomy, tissues)
    paint_chest(canvas, chest, anatomy, tissues)
    paint_neck(canvas, frame, anatomy, tissues)
    paint_cartilages(canvas, torso, anatomy, tissues)
    paint_head(canvas, anatomy, tissues.muscle)
    paint_bowel(canvas, torso, frame, anatomy, tissues)
    paint_organs(canvas, chest, frame, anatomy, tissues)
    paint_back_muscles(canvas, frame, anatomy, tissues)
    paint_vessels(canvas, frame, anatomy, tissues)
    paint_airway(canvas, frame, anatomy, tissues)
    paint_discs(canvas, anatomy, tissues)
    paint_canal(canvas, frame, anatomy, tissues)
    if anatomy.trunk["table"] > 0:
        paint_table(canvas, torso, anatomy)
    paint_blanket(canvas, torso, anatomy)
