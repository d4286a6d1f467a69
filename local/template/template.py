"""The functions, routes, queues, buckets and schedules that a template declares."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import CannotStart
from local.template.intrinsics import Resolver, read
from local.template.parameters import parameters, text
from local.template.routes import Route, authorizer

ACCOUNT = "000000000000"
REGION = "us-east-1"
STACK = "messaging"

# SQS and CloudFormation use the same names for these. Other properties of a queue have no effect here.
_QUEUE_ATTRIBUTES = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "RedrivePolicy",
    "RedriveAllowPolicy",
)


@dataclass(frozen=True)
class Function:
    name: str
    folder: Path
    handler: str
    timeout: float
    memory: int
    variables: Mapping[str, str]
    layers: tuple[Path, ...]
    has_url: bool


@dataclass(frozen=True)
class Queue:
    resource: str
    name: str
    url: str
    attributes: Mapping[str, str]

    @property
    def arn(self) -> str:
        return _queue_arn(self.name)


@dataclass(frozen=True)
class QueueSource:
    """An event source mapping. `concurrency` is 0 if the template does not limit it."""

    function: str
    queue: Queue
    batch_size: int
    concurrency: int
    reports_failures: bool


@dataclass(frozen=True)
class Schedule:
    function: str
    name: str
    input: str | None


class Template:
    def __init__(
        self,
        path: Path,
        chosen: Mapping[str, str],
        local_values: Mapping[str, str],
        *,
        endpoint: str,
        gateway: str,
    ) -> None:
        """`chosen` are parameters, which the template must declare. `local_values` are the values of other
        parameters on this machine, if the template declares them. `endpoint` is the URL of the AWS APIs, and
        `gateway` the URL that serves the HTTP API. Raises CannotStart.
        """
        document = read(path)
        declared = document.get("Parameters", {})
        defaults = {name: local_values[name] for name in local_values if name in declared}
        self._folder = path.resolve().parent
        self._resources: dict[str, dict[str, Any]] = document["Resources"]
        self._globals: dict[str, Any] = document.get("Globals", {}).get("Function", {})
        self._endpoint = endpoint
        self._gateway = gateway
        references: dict[str, Any] = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::StackName": STACK,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            **parameters(declared, {**defaults, **chosen}),
        }
        self._resolver = Resolver(references, self._attribute, document.get("Conditions", {}))
        self.queues = [self._queue(name, properties) for name, properties in self._of_type("AWS::SQS::Queue")]
        references.update({queue.resource: queue.url for queue in self.queues})
        self.buckets = {name: _bucket_name(name) for name, _ in self._of_type("AWS::S3::Bucket")}
        references.update(self.buckets)
        references.update({name: name for name in self._resources if name not in references})
        functions = list(self._of_type("AWS::Serverless::Function"))
        self.functions = [self._function(name, properties) for name, properties in functions]
        self.routes: list[Route] = []
        self.sources: list[QueueSource] = []
        self.schedules: list[Schedule] = []
        for name, properties in functions:
            for event_name, event in properties.get("Events", {}).items():
                event_properties = self._resolver.resolve(event.get("Properties", {}))
                self._add_event(name, event_name, event["Type"], event_properties)

    def _queue_of(self, arn: str) -> Queue:
        for queue in self.queues:
            if queue.arn == arn:
                return queue
        raise CannotStart(f"the template does not declare the queue {arn}")

    def _of_type(self, resource_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, resource in self._resources.items():
            if resource["Type"] != resource_type:
                continue
            condition = resource.get("Condition")
            if condition is None or self._resolver.condition(condition):
                yield name, resource.get("Properties", {})

    def _queue(self, name: str, properties: Mapping[str, Any]) -> Queue:
        attributes: dict[str, str] = {}
        for key in _QUEUE_ATTRIBUTES:
            if key in properties:
                value = self._resolver.resolve(properties[key])
                attributes[key] = json.dumps(value) if isinstance(value, dict) else str(value)
        queue_name = self._queue_name(name)
        return Queue(name, queue_name, f"{self._endpoint}/{ACCOUNT}/{queue_name}", attributes)

    def _queue_name(self, resource: str) -> str:
        properties = self._resources[resource].get("Properties", {})
        return str(self._resolver.resolve(properties.get("QueueName", resource)))

    def _function(self, name: str, properties: Mapping[str, Any]) -> Function:
        def setting(key: str, default: Any) -> Any:
            return self._resolver.resolve(properties.get(key, self._globals.get(key, default)))

        variables = {
            **self._globals.get("Environment", {}).get("Variables", {}),
            **properties.get("Environment", {}).get("Variables", {}),
        }
        layers = [*self._globals.get("Layers", []), *properties.get("Layers", [])]
        return Function(
            name=name,
            folder=self._folder / setting("CodeUri", "."),
            handler=setting("Handler", "app.handler"),
            timeout=float(setting("Timeout", 3)),
            memory=int(setting("MemorySize", 128)),
            variables={key: text(value) for key, value in self._resolver.resolve(variables).items()},
            layers=tuple(self._layer(self._resolver.resolve(layer)) for layer in layers),
            has_url="FunctionUrlConfig" in properties,
        )

    def _layer(self, name: str) -> Path:
        """Return a layer's folder for the path: `python`, as in Lambda, or the layer itself if not built."""
        content_uri = self._resolver.resolve(self._resources[name]["Properties"]["ContentUri"])
        content: Path = self._folder / content_uri
        built = content / "python"
        return built if built.is_dir() else content

    def _add_event(self, function: str, name: str, event_type: str, properties: Mapping[str, Any]) -> None:
        match event_type:
            case "HttpApi":
                method, path = properties.get("Method", "").upper(), properties.get("Path", "")
                api = self._resources.get(properties.get("ApiId", ""), {}).get("Properties", {})
                api_auth = self._resolver.resolve(api.get("Auth", {}))
                route_authorizer = authorizer(api_auth, properties.get("Auth", {}))
                self.routes.append(Route(method, path, function, route_authorizer))
            case "SQS":
                self.sources.append(
                    QueueSource(
                        function,
                        self._queue_of(properties["Queue"]),
                        int(properties.get("BatchSize", 10)),
                        int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 0)),
                        "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
                    )
                )
            case "Schedule" | "ScheduleV2":
                self.schedules.append(Schedule(function, name, properties.get("Input")))
            case _:
                raise CannotStart(
                    f"{function} has an event of type {event_type}, not supported in local/template"
                )

    def _attribute(self, resource: str, attribute: str) -> str:
        resource_type = self._resources.get(resource, {}).get("Type")
        match resource_type, attribute:
            case "AWS::SQS::Queue", "Arn":
                return _queue_arn(self._queue_name(resource))
            case "AWS::SQS::Queue", "QueueName":
                return self._queue_name(resource)
            case "AWS::S3::Bucket", "Arn":
                return f"arn:aws:s3:::{_bucket_name(resource)}"
            case "AWS::Serverless::Function", "Arn":
                return function_arn(resource)
            case "AWS::Serverless::HttpApi", "ApiEndpoint":
                return self._gateway
        if attribute == "FunctionUrl" and resource.removesuffix("Url") in self._resources:
            return f"{self._gateway}/lambda-url/{resource.removesuffix('Url')}/"
        raise CannotStart(
            f"the template refers to {resource}.{attribute}, which has no value on this machine"
        )


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def _queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def _bucket_name(resource: str) -> str:
    return f"{STACK}-{resource}".lower()
