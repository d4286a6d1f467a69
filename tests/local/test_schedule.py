import json

from local import Stack
from tests.support.waiting import eventually


def test_a_schedule_fires_repeatedly(stack: Stack) -> None:
    lines = eventually(lambda: stack.log("Tick").splitlines()[1:])
    event = json.loads(lines[0])
    assert event["source"] == "aws.scheduler"
    assert event["detail-type"] == "Scheduled Event"
    assert event["resources"] == ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/Often"]
