"""A small AWS for this machine, made from template.yaml; the product imports nothing of it.

__main__    the command line                  gateway      HTTP API routes and function URLs
stack       everything together               payload      requests as events, results as responses
backing     what the functions lean on        server       HTTP/1.1
template    what is declared                  environment  functions as warm processes; worker is the process
intrinsics  !Ref, !Sub and the like           queues       SQS event source mappings
postgres    unprivileged, aws, provider       schedule     schedules
folder      what survives a restart           logs         what the functions print
process     children that never outlive us; watch stands beside each
"""

from local.backing import Options
from local.environment import FunctionError
from local.errors import CannotStart
from local.provider import Behaviour, Received
from local.stack import Stack, running

__all__ = ["Behaviour", "CannotStart", "FunctionError", "Options", "Received", "Stack", "running"]
