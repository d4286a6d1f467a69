"""The alarms over what the functions count."""

import re
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

ROOT = Path(__file__).parents[2]


def test_each_names_a_count_and_who_makes_it() -> None:
    sources = (path.read_text() for path in ROOT.glob("layers/messaging/messaging/**/*.py"))
    counted = {name for source in sources for name in re.findall(r'\bcount\(\s*"(\w+)"', source)}
    resources: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    alarms = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    ours = [alarm for alarm in alarms if alarm["Namespace"] == "Messaging"]
    assert {alarm["MetricName"] for alarm in ours} >= {"Misconfigured", "OpenCircuits"}
    for alarm in ours:
        assert alarm["MetricName"] in counted
        [dimension] = alarm["Dimensions"]
        assert dimension["Name"] == "service"
        assert (ROOT / "functions" / dimension["Value"]).is_dir()
