import json
from pathlib import Path

import pytest

from local import CannotStart
from local.template.routes import Route
from local.template.template import Queue, QueueSource, Schedule, Template

HEAD = """
Parameters:
  Size: {Type: Number, Default: 8}
  Mode: {Type: String, Default: slow, AllowedValues: [slow, fast]}
  Url: {Type: String, Default: '', AllowedPattern: '^(https?://[^/]+)?$'}
  Subnets: {Type: CommaDelimitedList, Default: ''}
Conditions:
  Fast: !Equals [!Ref Mode, fast]
  InVpc: !Not [!Equals [!Join ['', !Ref Subnets], '']]
  Both: !And [!Condition Fast, !Condition InVpc]
  Either: !Or [!Condition Fast, !Condition InVpc]
Resources:
"""
FUNCTION = (
    "  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: f, Environment: {Variables: {V: %s}}}}\n"
)
QUEUE = "  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub '${AWS::StackName}-q'}}\n"
BUCKET = "  Too: {Type: AWS::S3::Bucket}\n"


def read(folder: Path, resources: str, **parameters: str) -> Template:
    path = folder / "template.yaml"
    path.write_text(HEAD + resources)
    return Template(path, parameters, {}, endpoint="http://aws", gateway="http://api")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Size", "8"),
        ("true", "true"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!Sub 'a ${Size} ${!Literal} ${Q.QueueName}'", "a 8 ${Literal} messaging-q"),
        ("!Sub ['${A}-${Mode}', {A: !Ref Size}]", "8-slow"),
        ("!Join ['/', [a, !Ref Size]]", "a/8"),
        ("!If [Fast, fast, slow]", "slow"),
        ("!If [Both, both, !If [Either, one, none]]", "none"),
        ("!Ref Q", "http://aws/000000000000/messaging-q"),
        ("!GetAtt Q.Arn", "arn:aws:sqs:us-east-1:000000000000:messaging-q"),
        ("!Ref Too", "messaging-too"),
        ("!Sub '${Too.Arn}/*'", "arn:aws:s3:::messaging-too/*"),
        ("!GetAtt FUrl.FunctionUrl", "http://api/lambda-url/F/"),
    ],
)
def test_an_expression_has_the_value_it_has_in_cloudformation(
    tmp_path: Path, expression: str, value: str
) -> None:
    [function] = read(tmp_path, QUEUE + BUCKET + FUNCTION % expression).functions
    assert function.variables == {"V": value}


def test_a_variable_of_no_value_is_removed(tmp_path: Path) -> None:
    [function] = read(tmp_path, FUNCTION % "!If [Fast, fast, !Ref AWS::NoValue]").functions
    assert function.variables == {}


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("!Select [0, [a]]", "uses Fn::Select"),
        ("!Ref Nothing", "refers to Nothing"),
        ("!GetAtt Q.Colour", r"refers to Q\.Colour"),
        ("!If [Nowhere, a, b]", "does not declare the condition Nowhere"),
    ],
)
def test_an_unsupported_expression_is_an_error(tmp_path: Path, expression: str, complaint: str) -> None:
    with pytest.raises(CannotStart, match=complaint):
        read(tmp_path, QUEUE + FUNCTION % expression)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"Colour": "red"}, "no parameter Colour"),
        ({"Mode": "medium"}, "Mode must be one of slow, fast; not medium"),
        ({"Url": "https://a/b"}, "Url must match .*; not https://a/b"),
    ],
)
def test_a_parameter_is_checked(tmp_path: Path, parameters: dict[str, str], complaint: str) -> None:
    with pytest.raises(CannotStart, match=complaint):
        read(tmp_path, FUNCTION % "x", **parameters)


def test_a_chosen_parameter_wins_over_the_local_value(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(HEAD + FUNCTION % "!Sub '${Size} ${Mode}'")
    local_values = {"Size": "9", "Mode": "fast", "Colour": "red"}
    [function] = Template(path, {"Size": "10"}, local_values, endpoint="", gateway="").functions
    assert function.variables == {"V": "10 fast"}


def test_a_parameter_without_a_default_is_required(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Parameters: {Needed: {Type: String}}\nResources: {}\n")
    with pytest.raises(CannotStart, match="--parameter Needed="):
        Template(tmp_path / "template.yaml", {}, {}, endpoint="", gateway="")


def test_a_resource_whose_condition_is_false_is_left_out(tmp_path: Path) -> None:
    queue = "  Q: {Type: AWS::SQS::Queue, Condition: Fast}\n"
    assert read(tmp_path, queue).queues == []
    assert [declared.name for declared in read(tmp_path, queue, Mode="fast").queues] == ["Q"]


@pytest.mark.parametrize("text", ["a: [", "a: 1"])
def test_a_file_that_is_not_a_template_is_rejected(tmp_path: Path, text: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(CannotStart, match=r"template\.yaml"):
        Template(tmp_path / "template.yaml", {}, {}, endpoint="", gateway="")


def test_the_layer_of_a_built_template_is_its_python_folder(tmp_path: Path) -> None:
    layer = "  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}\n"
    function = "  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: f, Layers: [!Ref L]}}\n"
    [before] = read(tmp_path, layer + function).functions
    (tmp_path / "layer" / "python").mkdir(parents=True)
    [built] = read(tmp_path, layer + function).functions
    assert before.layers == (tmp_path / "layer",)
    assert built.layers == (tmp_path / "layer" / "python",)


def test_globals_apply_to_every_function_that_does_not_override_them(template: Path) -> None:
    functions = {function.name: function for function in project(template).functions}
    assert (functions["Echo"].timeout, functions["Hasty"].timeout) == (10, 1)
    assert functions["Echo"].variables == {"AWS_ENDPOINT_URL": "", "DATABASE_URL": "", "GREETING": "hello"}
    assert (functions["Echo"].has_url, functions["Hasty"].has_url) == (True, False)


def test_events_become_routes_sources_and_schedules(template: Path) -> None:
    read = project(template)
    queue, dead = read.queues
    assert Route("GET", "/things/{id}", "Echo") in read.routes
    assert read.schedules == [Schedule("Tick", "Often", None)]
    assert read.sources == [QueueSource("Batch", queue, 10, 0, reports_failures=True)]
    assert dead == Queue("Dead", "Dead", "http://aws/000000000000/Dead", {})
    assert queue.attributes == {
        "VisibilityTimeout": "1",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2}),
    }


def project(template: Path) -> Template:
    return Template(template, {}, {}, endpoint="http://aws", gateway="http://api")
