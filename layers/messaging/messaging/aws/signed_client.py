"""Calls to AWS services with a JSON protocol, signed and sent by botocore without a boto3 client.

A boto3 client first loads the service's models, endpoint rules and regions. This costs 140 ms of a cold start
and 14 MB of memory, which is too much for sending one SQS message and reading one secret.
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
    """AWS refused the call. `code` is AWS's error code, such as ResourceNotFoundException."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Service:
    """One AWS service, with a connection that stays open between calls."""

    def __init__(self, id: str, name: str, target: str, version: str, *, connect: float, read: float) -> None:
        """Take the service's names and the timeouts of each of two tries, in seconds.

        `id` is its name in AWS_ENDPOINT_URL_<id>, and `name` the one in hostnames and signatures. `target`
        and `version` are those of its JSON protocol.

        https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html
        """
        self._id = id
        self._name = name
        self._target = target
        self._content_type = f"application/x-amz-json-{version}"
        self._timeouts = connect, read

    def call(self, operation: str, fields: object) -> Any:
        """Calls an operation and returns the JSON of the response.

        The call is repeated after a lost connection or a 5xx, so the operation must be safe to repeat. Raises
        AwsError if AWS refuses the call, ValueError if the response is not JSON, and botocore's
        HTTPClientError if there is no response.
        """
        response = self._send(self._sign(operation, fields))
        if response.status_code == 200:
            return json.loads(response.content)
        try:
            code = str(json.loads(response.content)["__type"]).rpartition("#")[2]
        except (ValueError, TypeError, KeyError):
            code = str(response.status_code)
        raise AwsError(code)

    def _sign(self, operation: str, fields: object) -> "AWSPreparedRequest":
        from botocore.auth import SigV4Auth  # here: 45 ms of a cold start that may make no call
        from botocore.awsrequest import AWSRequest

        credentials = role()
        region = credentials.region
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        request = AWSRequest(
            "POST",
            endpoint(self._id) or f"https://{self._name}.{region}.{suffix}/",
            headers={"Content-Type": self._content_type, "X-Amz-Target": f"{self._target}.{operation}"},
            data=json.dumps(fields),
        )
        SigV4Auth(cast("Any", credentials), self._name, region).add_auth(request)
        return request.prepare()

    def _send(self, request: "AWSPreparedRequest") -> "AWSResponse":
        """Send the request, and once more if the connection died, for example in a frozen environment."""
        from botocore.exceptions import HTTPClientError

        try:
            response = self._session.send(request)
        except HTTPClientError:
            self._session.close()
        else:
            if response.status_code < 500:
                return response
        return self._session.send(request)

    @cached_property
    def _session(self) -> "URLLib3Session":
        from botocore.httpsession import URLLib3Session

        # boto3 sets this as well: without it a body waits 40 ms for the acknowledgement of its headers.
        no_delay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        return URLLib3Session(timeout=cast("Any", self._timeouts), socket_options=cast("Any", no_delay))
