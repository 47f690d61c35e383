"""What others made lies in config/static/vendor: named, licensed, and byte for byte what it was when it was taken."""

import hashlib
import json
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parent.parent / "config" / "static"
VENDOR = STATIC / "vendor"
PACKAGES = json.loads((VENDOR / "vendor.json").read_text())
FREE = {"MIT", "OFL-1.1"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_each_file_is_what_it_was_when_it_was_taken(package):
    folder = VENDOR / package["folder"]
    there = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    assert there == package["files"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package["name"])
def test_each_package_names_its_version_and_brings_its_licence(package):
    assert package["folder"].endswith(f"-{package['version']}")
    assert package["licence"] in FREE
    assert "LICENSE" in package["files"]


def test_nothing_lies_there_that_is_not_listed():
    listed = {package["folder"] for package in PACKAGES} | {"vendor.json"}
    assert {entry.name for entry in VENDOR.iterdir()} == listed


def test_no_style_sheet_or_script_asks_for_a_file_that_is_not_there():
    """Collecting static files fails on a source map that was left behind."""
    for file in [*STATIC.rglob("*.css"), *STATIC.rglob("*.js")]:
        text = file.read_text()
        assert "sourceMappingURL" not in text, file
        for address in re.findall(r"url\(\"?(?!data:)([^\")]+)", text) if file.suffix == ".css" else []:
            assert address.startswith(("data:", "#")) or (file.parent / address).exists(), (file, address)
