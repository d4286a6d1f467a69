"""A small AWS for this machine, built from template.yaml. The product imports nothing of it.

A package imports only from the packages above it, and a module only from the modules before it.
tests/test_shape.py reads this list and enforces it.

    vocabulary   errors options
    http         client server
    template     intrinsics parameters routes template
    services     watcher process ports data_folder unprivileged postgres aws
    functions    worker logs runtime environment function
    triggers     payload invocation authorizer gateway queues schedule
    simulators   behaviour record webhook_sender vendor vendors/ provider
    everything   backing_services stack
    commands     arguments audit pins check samples openapi configuration guide operate redrive replay
    entry        __main__
"""

from local.errors import CannotStart
from local.functions.environment import FunctionError
from local.options import Options
from local.simulators.behaviour import Behaviour
from local.simulators.record import RecordedRequest
from local.stack import Stack, running

__all__ = ["Behaviour", "CannotStart", "FunctionError", "Options", "RecordedRequest", "Stack", "running"]
