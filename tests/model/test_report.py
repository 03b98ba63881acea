"""Reports are whole pages that need nothing else, with every plot and number."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from model import plots, report, training_report
from model.plots import Scored
from model.report import ReportData, Table
from tests.model.conftest import Trained


def scored(name: str, seed: int) -> Scored:
    rng = np.random.default_rng(seed)
    truth = rng.random(3000) < 0.02
    return Scored(name, truth, np.clip(rng.normal(0.1 + 0.5 * truth, 0.1), 0, 1))


@pytest.fixture
def data() -> ReportData:
    return ReportData(
        title="A & B",
        summary="Two parts.",
        highlights={"average precision": 0.75, "rows": 12_345},
        parts=[scored("first", 1), scored("second", 2)],
        tables=[Table("Numbers", ("name", "value"), [("x<y", 0.123456), ("none", None)], "A note.")],
        importance={f"feature_{i}": 1 / (i + 2) for i in range(30)},
        lines={"review": 0.3, "block": 0.6},
    )


def test_report_has_four_drawings_that_are_well_formed(data: ReportData) -> None:
    drawings = re.findall(r"<svg.*?</svg>", report.render(data), re.DOTALL)

    assert len(drawings) == 4
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).tag.endswith("svg")


def test_report_loads_nothing_from_elsewhere(data: ReportData) -> None:
    page = report.render(data)

    assert not re.search(r"<script|<link|<img|@import|url\(\s*['\"]?http", page)
    assert not re.search(r"(src|href)=\"https?:", page)


def test_report_shows_numbers_and_escapes_text(data: ReportData) -> None:
    page = report.render(data)

    for told in ("A &amp; B", "0.7500", "12,345", "x&lt;y", "0.1235", "<td>–</td>", "A note.", "feature_0", "review"):
        assert told in page
    assert "feature_25" not in page


def test_report_is_the_same_each_time(data: ReportData) -> None:
    assert report.render(data) == report.render(data)


def test_precision_recall_names_each_part_with_its_average_precision() -> None:
    drawing = plots.precision_recall([scored("first", 1), scored("second", 2)])

    assert re.search(r"first: 0\.\d{3}", drawing) and re.search(r"second: 0\.\d{3}", drawing)


def test_drawings_of_many_rows_stay_small() -> None:
    rng = np.random.default_rng(4)
    truth = rng.random(200_000) < 0.01

    assert len(plots.precision_recall([Scored("many", truth, rng.random(200_000))])) < 60_000


def test_drawing_one_part_with_equal_scores_works() -> None:
    same = Scored("same", np.array([True, False]), np.array([0.5, 0.5]))

    for drawing in (plots.precision_recall([same]), plots.calibration([same]), plots.score_distribution([same], {})):
        assert drawing.startswith("<svg")


def test_training_report_shows_what_the_package_was_measured_on(trained: Trained, tmp_path: Path) -> None:
    training_report.write(trained.model_dir, trained.output_dir, tmp_path / "report.html")

    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "block precision" in page and "num_boost_round" in page
