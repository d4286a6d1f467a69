"""Logs and numbers: structured JSON lines and CloudWatch's embedded metric format, through Powertools.

A log line never contains a body, an address or a secret. It names a message by its id.
"""

from traceback import extract_tb

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


def count(name: str, number: int = 1) -> None:
    """Add to a metric of the unit Count. A zero is not published."""
    if number:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def duration(name: str, seconds: float) -> None:
    """Add a value to a metric of the unit Milliseconds."""
    metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=seconds * 1000)


def log_fault(message: str, error: BaseException, **extra: object) -> None:
    """Log a bug of this service: the exception's type, message and traceback.

    The exception's message is logged only if the class is ours. The message of any other exception may
    contain a body, an address or a secret.
    """
    error_message = None
    if type(error).__module__.startswith("messaging."):
        error_message = str(error)
    traceback = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    fields = {"fault": type(error).__name__, "error_message": error_message, "traceback": traceback}
    logger.error(message, extra=fields | extra)


def flush() -> None:
    """Print the metrics of this invocation, if there are any. Powertools would warn about none."""
    if metrics.metric_set:
        metrics.flush_metrics()
