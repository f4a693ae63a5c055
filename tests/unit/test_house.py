"""The limits of the house: short functions, short files, documented settings."""

import ast
from pathlib import Path

import pytest

from integrations_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("integrations_pipeline", "resources", "assets", "sensors", "schedules", "benchmarks")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring and its nested functions."""
    inner = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node):
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total - sum((n.end_lineno or n.lineno) - n.lineno + 1 for n in inner)


def functions() -> list[tuple[str, int]]:
    return [
        (f"{path.relative_to(ROOT)}:{node.name}", body_lines(node))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_no_function_is_longer_than_50_lines() -> None:
    assert [entry for entry in functions() if entry[1] > 50] == []


def test_half_of_the_functions_have_at_most_7_lines() -> None:
    lengths = sorted(length for _, length in functions())

    assert lengths[len(lengths) // 2] <= 7


def test_no_file_is_longer_than_500_lines() -> None:
    long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in FILES}

    assert {name: n for name, n in long.items() if n > 500} == {}


@pytest.mark.parametrize("folder", ["resources", "assets", "sensors", "schedules"])
def test_the_dagster_face_stays_thin(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        content = path.read_text()
        assert len(content.splitlines()) <= 150, path
        assert "import requests" not in content, path
        assert "SELECT " not in content, path


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    for name in Settings.model_fields:
        variable = "DATABASE_URL" if name == "database_url" else f"INTEGRATIONS_{name.upper()}"
        assert f"`{variable}`" in text, variable
