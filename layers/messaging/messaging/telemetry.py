"""Logs and numbers: structured JSON lines and CloudWatch's embedded metric format, through Powertools.

No line holds a body, an address or a secret: a message is named by its id.
"""

from traceback import extract_tb

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


def count(name: str, number: int = 1) -> None:
    if number:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def duration(name: str, seconds: float) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=seconds * 1000)


def log_fault(message: str, error: BaseException, **extra: object) -> None:
    """A fault of ours, by its type and its way through the code. Its words are told only where they are our
    own: others may hold a body, an address or a secret."""
    way = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    words = str(error) if type(error).__module__.startswith("messaging.") else None
    logger.error(message, extra={"fault": type(error).__name__, "words": words, "way": way, **extra})


def flush() -> None:
    """Prints what was counted; Powertools warns where nothing was, which is no news here."""
    if metrics.metric_set:
        metrics.flush_metrics()
