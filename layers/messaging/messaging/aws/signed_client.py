"""Calls to AWS that are one JSON object each: signed by botocore and sent by its session, without a client.

A client of boto3 reads the models, rules and addresses of AWS' services first: 140 ms of a cold start and
14 MB of every environment, for a nudge and a secret.
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import json
import socket
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from messaging.settings import endpoint, role

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.httpsession import URLLib3Session


class AwsError(Exception):
    """AWS answered, and did not do it; `code` is its word for why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Service:
    """A service's own name, that of its operations, and a connection that is kept open."""

    def __init__(self, id: str, name: str, target: str, version: str, *, connect: float, read: float) -> None:
        """`id` is its name in variables. `connect` and `read` are seconds, each for one of two tries.

        https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html
        """
        self._id = id
        self._name = name
        self._target = target
        self._content_type = f"application/x-amz-json-{version}"
        self._timeouts = connect, read

    def call(self, operation: str, fields: object) -> Any:
        """The answer's JSON; what changes something must do no harm when it is done twice.

        Raises AwsError, ValueError of an answer that is no JSON, and botocore's errors.
        """
        answer = self._send(self._signed(operation, fields))
        if answer.status_code == 200:
            return json.loads(answer.content)
        try:
            code = str(json.loads(answer.content)["__type"]).rpartition("#")[2]
        except (ValueError, TypeError, KeyError):
            code = str(answer.status_code)
        raise AwsError(code)

    def _signed(self, operation: str, fields: object) -> "AWSPreparedRequest":
        from botocore.auth import SigV4Auth  # 45 ms, as long as nothing is called
        from botocore.awsrequest import AWSRequest

        us = role()
        suffix = "amazonaws.com.cn" if us.region.startswith("cn-") else "amazonaws.com"
        request = AWSRequest(
            "POST",
            endpoint(self._id) or f"https://{self._name}.{us.region}.{suffix}/",
            headers={"Content-Type": self._content_type, "X-Amz-Target": f"{self._target}.{operation}"},
            data=json.dumps(fields),
        )
        SigV4Auth(cast("Any", us), self._name, us.region).add_auth(request)
        return request.prepare()

    def _send(self, request: "AWSPreparedRequest") -> "AWSResponse":
        """A second time where the connection has died, as while the environment was frozen."""
        from botocore.exceptions import HTTPClientError

        try:
            answer = self._session.send(request)
        except HTTPClientError:
            self._session.close()
        else:
            if answer.status_code < 500:
                return answer
        return self._session.send(request)

    @cached_property
    def _session(self) -> "URLLib3Session":
        from botocore.httpsession import URLLib3Session

        # As a client of boto3 has it: else a body waits 40 ms for the acknowledgement of its head.
        at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        return URLLib3Session(timeout=cast("Any", self._timeouts), socket_options=cast("Any", at_once))
