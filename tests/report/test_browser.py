"""The page in a browser: Debian's Chromium, driven by Playwright. Left out where either is absent."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vertseg import Volume
from vertseg.inference.findings import Findings
from vertseg.report.page import page_html
from vertseg.report.page_data import PageOptions, Pictures, page_data
from vertseg.report.pictures import vertebra_cuts
from vertseg.report.scene import scene_layers
from vertseg.report.summary import report

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_WEBGL = ("--disable-gpu", "--disable-3d-apis")
WAIT_MS = 240_000


@pytest.fixture(scope="module")
def file(findings: Findings, scan: Volume, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two vertebrae, the first with what-if curves of a logistic risk."""
    layers = scene_layers(findings, scan)
    content = report(findings)
    content["vertebrae"][0]["planning"] = {"leaks": leaks(), "corridors": [], "cannulas": []}
    cuts = {v.name: {"cuts": vertebra_cuts(findings, scan, v)} for v in findings.vertebrae}
    preview = cuts["L1"]["cuts"]
    data = page_data(findings, content, Pictures(preview, cuts), layers, PageOptions())
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_html(data, layers), encoding="utf-8")
    return path


def leaks() -> dict[str, Any]:
    volumes = [float(v) for v in np.arange(1.0, 8.01, 0.5)]

    def curve(viscosity: str, approach: str, shift: float) -> dict[str, Any]:
        risk = [float(1 / (1 + np.exp(3.0 - 0.5 * v - shift))) for v in volumes]
        by = dict.fromkeys(("any", "B", "S", "C", "D"), risk)
        return {"viscosity": viscosity, "approach": approach, "risk": by, "low": None, "high": None}

    curves = [
        curve(viscosity, approach, shift)
        for viscosity, shift in (("low", 1.0), ("medium", 0.0), ("high", -1.0))
        for approach in ("unipedicular", "bipedicular")
    ]
    one = {"probability": 0.3, "low": None, "high": None}
    planned = {
        "volume_ml": 4.0, "viscosity": "medium", "approach": "unipedicular", "withheld": None,
        "risks": dict.fromkeys(("any", "B", "S", "C", "D"), one),
    }  # fmt: skip
    table = {"volumes_ml": volumes, "curves": curves}
    return {
        "risk": planned, "what_if": table, "mechanistic": None, "disagreements": [], "drivers": None, "indication": None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs chromium: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium


class Watched:
    """A page, with every message of its console and every request that it made."""

    def __init__(self, chromium: Any, file: Path, arguments: tuple[str, ...], width: int = 1440) -> None:
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        self.browser = chromium.launch(executable_path=CHROMIUM, args=[*arguments, *sandbox])
        self.page = self.browser.new_page(viewport={"width": width, "height": 900})
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("body[data-viewer]", timeout=WAIT_MS)


@pytest.fixture(scope="module")
def desk(chromium: Any, file: Path) -> Iterator[Watched]:
    watched = Watched(chromium, file, WEBGL)
    yield watched
    watched.browser.close()


def any_risk(page: Any) -> float:
    return float(page.locator("#report-L1 .what-if-result").get_attribute("data-any"))


def test_the_scan_opens_in_the_viewer(desk: Watched) -> None:
    assert desk.page.get_attribute("body", "data-viewer") == "ready"
    assert desk.page.locator("#picture canvas").count() == 1


def test_a_vertebra_is_chosen_by_click_and_by_arrow(desk: Watched) -> None:
    page = desk.page
    page.locator('[data-level="L1"]').click()
    assert page.locator("#report-L1").is_visible() and not page.locator("#report-L2").is_visible()
    page.keyboard.press("ArrowDown")
    assert page.locator("#report-L2").is_visible() and not page.locator("#report-L1").is_visible()
    assert page.locator('[data-level="L2"]').get_attribute("aria-current") == "true"


def test_the_risk_rises_with_the_slider_and_falls_with_viscosity(desk: Watched) -> None:
    page = desk.page
    page.locator('[data-level="L1"]').click()
    seen = []
    for volume in ("1", "2.3", "4", "6.7", "8"):
        page.locator("#volume-of-L1").fill(volume)
        seen.append(any_risk(page))
    assert seen == sorted(seen) and seen[-1] - seen[0] > 0.3
    assert seen[0] == pytest.approx(1 / (1 + np.exp(2.5)))
    page.locator('label[for="viscosity-L1-high"]').click()
    assert any_risk(page) < seen[-1]
    page.locator('label[for="viscosity-L1-low"]').click()
    assert any_risk(page) > seen[-1]


def test_a_mask_is_hidden_and_shown(desk: Watched) -> None:
    page = desk.page
    box = page.locator("#mask-levels")
    shown = page.locator("#canvas").screenshot()
    box.uncheck()
    page.wait_for_timeout(500)
    hidden = page.locator("#canvas").screenshot()
    box.check()
    page.wait_for_timeout(500)
    assert hidden != shown
    assert page.locator("#canvas").screenshot() != hidden


def test_the_language_is_switched_and_the_choice_stays(desk: Watched) -> None:
    page = desk.page
    page.locator('[data-level="L1"]').click()
    page.locator("#volume-of-L1").fill("5.5")
    page.locator('[data-language="it"]').click()
    assert page.get_attribute("html", "lang") == "it"
    assert "Rischio di fuoriuscita" in page.locator("#report-L1").text_content()
    assert page.locator("#volume-of-L1").input_value() == "5.5"
    page.locator('[data-language="en"]').click()
    assert "Cement leak risk" in page.locator("#report-L1").text_content()


def test_every_control_has_a_name(desk: Watched) -> None:
    unnamed = desk.page.evaluate(
        "() => [...document.querySelectorAll('button, input')].filter((e) => "
        "!(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label'))).map((e) => e.outerHTML)"
    )
    assert unnamed == []


def test_nothing_overflows_at_desk_and_tablet_size(desk: Watched) -> None:
    for width in (1440, 820):
        desk.page.set_viewport_size({"width": width, "height": 900})
        assert desk.page.evaluate("() => document.documentElement.scrollWidth") <= width
    desk.page.set_viewport_size({"width": 1440, "height": 900})


def test_no_request_left_the_file_and_the_console_is_silent(desk: Watched, file: Path) -> None:
    outside = [
        url for url in desk.requests if url != file.as_uri() and not url.startswith(("data:", "blob:"))
    ]
    assert outside == []
    assert [said for said in desk.complaints if "GPU stall" not in said] == []


def test_without_webgl_a_picture_and_a_sentence_take_its_place(chromium: Any, file: Path) -> None:
    watched = Watched(chromium, file, NO_WEBGL)
    assert watched.page.get_attribute("body", "data-viewer") == "picture"
    assert watched.page.locator("#picture img").is_visible()
    assert "WebGL2" in watched.page.locator("#view-note").text_content()
    assert watched.complaints == []
    watched.browser.close()
