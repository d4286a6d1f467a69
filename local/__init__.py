"""A small AWS for this machine, made from template.yaml; the product imports nothing of it.

__main__    the command line               gateway      HTTP API routes and function URLs
guide       what to try next               payload      requests as events, results as responses
stack       everything together            server       HTTP/1.1
backing     what the functions lean on     function     a pool of warm processes
postgres    with unprivileged              environment  one of them from outside; worker from inside
aws         SQS, Secrets Manager, S3       queues       SQS event source mappings
provider    plays whatever is asked for    schedule     schedules
vendors     whom it plays, a file each     logs         what the functions print
behaviour   how well it does so            process      children that never outlive us, with watch
record      what it was sent; reports      folder       what survives a restart
template    what is declared               redrive      dead letters, put back
intrinsics  !Ref, !Sub and the like        replay       of webhooks that were kept
ports, client, errors
"""

from local.backing import Options
from local.behaviour import Behaviour
from local.environment import FunctionError
from local.errors import CannotStart
from local.record import Received
from local.stack import Stack, running

__all__ = ["Behaviour", "CannotStart", "FunctionError", "Options", "Received", "Stack", "running"]
