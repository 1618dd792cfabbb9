"""The JSON and CSV reports."""

import csv
import io
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from vertseg.inference.findings import Findings
from vertseg.report.summary import SCHEMA_VERSION, report, report_text, schema
from vertseg.report.table import COLUMNS, SCREEN_COLUMNS, csv_text, screen_rows


def test_report_follows_its_schema(findings: Findings) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    content = json.loads(report_text(report(findings)))
    jsonschema.validate(content, schema(), cls=jsonschema.Draft202012Validator)
    assert content["schema_version"] == SCHEMA_VERSION == schema()["properties"]["schema_version"]["const"]


def test_schema_refuses_what_is_not_a_report(findings: Findings) -> None:
    content = report(findings)
    for change in ({"schema_version": "0.1"}, {"extra": 1}, {"input": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, **change}, schema())


def test_an_empty_result_is_a_report_too(findings: Findings) -> None:
    empty = replace(findings, vertebrae=(), warnings=("No vertebra was found.",))
    jsonschema.validate(json.loads(report_text(report(empty))), schema())
    assert csv_text(report(empty)).splitlines() == [",".join(COLUMNS)]


def test_report_says_what_was_measured(findings: Findings) -> None:
    content = report(findings)
    assert [v["level"] for v in content["vertebrae"]] == ["L1", "L2"]
    first = content["vertebrae"][0]
    assert first["code"] == {"scheme": "SCT", "value": "66794005", "meaning": "L1 vertebra"}
    assert first["body_ml"] == pytest.approx(findings.vertebrae[0].measures.body_ml, abs=1e-3)
    assert first["leak_probability"]["any"] == pytest.approx(0.3439, abs=1e-4)
    np.testing.assert_allclose(
        np.cross(first["axes"]["anterior"], first["axes"]["up"]), first["axes"]["right"], atol=1e-3
    )
    assert content["input"]["shape"] == list(findings.levels.array.shape)
    assert "provisional" in content["leak_basis"]


def test_csv_has_the_report_s_numbers(findings: Findings) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(report(findings)))))
    assert [r["level"] for r in rows] == ["L1", "L2"]
    for row, vertebra in zip(rows, report(findings)["vertebrae"], strict=True):
        assert float(row["body_ml"]) == vertebra["body_ml"]
        assert float(row["centroid_z_mm"]) == vertebra["centroid_mm"][2]
        assert float(row["leak_B"]) == pytest.approx(0.1)
    assert all(len(row) == len(SCREEN_COLUMNS) for row in screen_rows(findings))


def test_an_unknown_measure_is_an_empty_cell_and_null(findings: Findings) -> None:
    first = findings.vertebrae[0]
    blank = replace(first, measures=replace(first.measures, lesion_share=None, height_middle_mm=None))
    one = replace(findings, vertebrae=(blank,))
    assert report(one)["vertebrae"][0]["lesion_share"] is None
    assert next(csv.DictReader(io.StringIO(csv_text(report(one)))))["height_ratio"] == ""
