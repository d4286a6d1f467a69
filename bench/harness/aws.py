"""The part of AWS that the functions call: a secret and an outbound queue."""

import hashlib
import json
import queue
from typing import Any
from uuid import uuid4

from local.http.server import Request, Response, Server, json_response

SECRET_ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:providers"


class FakeAws:
    def __init__(self, fields: object) -> None:
        """`fields` is the content of the secret."""
        self.queued: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._secret = json.dumps(fields)
        self._server = Server("127.0.0.1", 0, self._respond)
        self._server.start()

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self._server.url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PROVIDER_SECRET_ARN": SECRET_ARN,
            "OUTBOUND_QUEUE_URL": f"{self._server.url}/000000000000/outbound",
        }

    def close(self) -> None:
        self._server.stop()

    def _respond(self, request: Request) -> Response:
        target = next((value for name, value in request.headers if name.lower() == "x-amz-target"), "")
        parameters = json.loads(request.body or b"{}")
        match target.rpartition(".")[2]:
            case "GetSecretValue":
                secret = {"ARN": SECRET_ARN, "Name": "providers", "VersionId": str(uuid4())}
                return json_response(200, secret | {"SecretString": self._secret})
            case "SendMessageBatch":
                sent = [{"Id": entry["Id"]} | self._put(entry) for entry in parameters["Entries"]]
                return json_response(200, {"Successful": sent, "Failed": []})
            case "SendMessage":
                return json_response(200, self._put(parameters))
        return json_response(400, {"__type": "UnknownOperationException", "message": target})

    def _put(self, message: dict[str, Any]) -> dict[str, str]:
        body: str = message["MessageBody"]
        self.queued.put(body)
        return {"MessageId": str(uuid4()), "MD5OfMessageBody": hashlib.md5(body.encode()).hexdigest()}
