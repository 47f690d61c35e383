"""The vendors' own contracts, where environment variable VENDOR_SHEETS names a folder with openapi/ and examples/.

Without it `check` and `example` say so once and let everything pass: the contracts are not part of the project.
"""

import json
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS30Validator

SHEETS = Path(os.environ["VENDOR_SHEETS"]) if os.environ.get("VENDOR_SHEETS") else None
CONTRACTS = {
    "jira": "jira-v3-worklog-subset.json",
    "tempo": "tempo-v4-worklog-subset.json",
    "7pace": "7pace-rest-3.2-reconstructed.openapi.yaml",
    "azure": "ado-wit-7.1-cut.json",
}


@cache
def _say_unset() -> None:
    warnings.warn(
        "VENDOR_SHEETS is not set: answers are not compared with the vendors' contracts", stacklevel=3
    )


@cache
def _contract(vendor: str) -> dict[str, Any]:
    assert SHEETS is not None
    text = (SHEETS / "openapi" / CONTRACTS[vendor]).read_text()
    return yaml.safe_load(text) if CONTRACTS[vendor].endswith("yaml") else json.loads(text)


def check(vendor: str, schema: str | dict[str, Any], body: Any) -> None:
    """Asserts that the body is what the contract's schema (a name, or a schema that refers to names) describes."""
    if SHEETS is None:
        _say_unset()
        return
    contract = _contract(vendor)
    home = "definitions" if "definitions" in contract else "components"
    prefix = "#/definitions/" if home == "definitions" else "#/components/schemas/"
    wanted = {"$ref": prefix + schema} if isinstance(schema, str) else schema
    validator = OAS30Validator({"allOf": [wanted], home: contract[home]})
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
    assert not problems, problems[:5]


def example(name: str) -> Any:
    """An example body, or None where the sheets are not there."""
    if SHEETS is None:
        _say_unset()
        return None
    return json.loads((SHEETS / "examples" / name).read_text())


def check_keys(
    body: dict[str, Any], expected: dict[str, Any] | None, *, absent: tuple[str, ...] = ()
) -> None:
    """Asserts that every key of the vendor's example is there, but for those named."""
    if expected is not None:
        assert set(expected) - set(body) <= set(absent)
