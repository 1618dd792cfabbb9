"""`report.html` of a prediction and its plans, from its pictures to the file."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from vertseg.inference.findings import Findings
from vertseg.planning.plan import VertebraPlan
from vertseg.report.page import page_html
from vertseg.report.page_data import PageOptions, Pictures, page_data
from vertseg.report.pictures import vertebra_pictures
from vertseg.report.scene import scene_layers
from vertseg.report.summary import report
from vertseg.volume import Volume

PAGE: Final = "report.html"


def write_page(
    findings: Findings, scan: Volume, folder: Path, plans: Sequence[VertebraPlan], options: PageOptions
) -> None:
    """Write the page into a folder that `preview.png` may already be in, for browsers that cannot show the scan.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
        folder: that exists.
        plans: of its vertebrae; a vertebra without one has no planning panels.
        options: of the page.
    """
    planned = {plan.level: plan for plan in plans}
    with ThreadPoolExecutor(1) as pool:
        scene = pool.submit(scene_layers, findings, scan)
        pictures = {
            v.name: vertebra_pictures(findings, scan, v, planned.get(v.level)) for v in findings.vertebrae
        }
        layers = scene.result()
    preview = folder / "preview.png"
    shown = Pictures(preview.read_bytes() if preview.exists() else None, pictures)
    data = page_data(findings, report(findings, plans), shown, layers, options)
    (folder / PAGE).write_text(page_html(data, layers), encoding="utf-8")
