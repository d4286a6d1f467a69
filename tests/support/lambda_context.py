from aws_lambda_powertools.utilities.typing import LambdaContext


class Context(LambdaContext):
    """The second argument of a Lambda handler."""

    _function_name = "test"
    _memory_limit_in_mb = 512
    _invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:test"
    _aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, seconds: float = 30) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]  # Powertools has it static
        return round(self.seconds * 1000)
