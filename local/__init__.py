"""A small AWS for this machine, made from template.yaml; the product imports nothing of it.

__main__    the command line               gateway      HTTP API routes and function URLs
guide       what to try next               payload      requests as events, results as responses
stack       everything together            server       HTTP/1.1
backing     what the functions lean on     authorizer   who a request is from
postgres    with unprivileged              function     a pool of warm processes
aws         SQS, Secrets Manager, S3       environment  one of them from outside; worker from inside
provider    plays whatever is asked for    queues       SQS event source mappings
vendors     whom it plays, a file each     schedule     schedules
behaviour   how well it does so            logs         what the functions print
record      what it was sent; reports      process      children that never outlive us, with watch
template    what is declared               folder       what survives a restart
parameters  and what was given             redrive      dead letters, put back
intrinsics  !Ref, !Sub and the like        replay       of webhooks that were kept
routes      of the HTTP API                ports, client, errors
"""

from local.backing import Options
from local.behaviour import Behaviour
from local.environment import FunctionError
from local.errors import CannotStart
from local.record import Received
from local.stack import Stack, running

__all__ = ["Behaviour", "CannotStart", "FunctionError", "Options", "Received", "Stack", "running"]
