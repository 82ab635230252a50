"""The TrainTicket replica: gateway, web page and 44 services named as in the original, with one database and a queue.

PostgreSQL stands in for MySQL (the original's tables, a set of them for each service), streams of a Redis server for
RabbitMQ, and the names the host publishes for the registry Nacos.
"""

from pytest_anomod.replicas.kit.system import ReplicaSystem

# imported here, in the parent of all services, so that no forked service has to do it again
from . import access as access
from . import backend as backend
from . import binding as binding
from . import booking as booking
from . import calls as calls
from . import dates as dates
from . import entities as entities
from . import envelope as envelope
from . import mail as mail
from . import messaging as messaging
from . import money as money
from . import orders as orders
from . import passwords as passwords
from . import rail as rail
from . import stations as stations
from . import texts as texts
from . import tickets as tickets
from .catalogue import GATEWAY, SERVICES
from .stores import STORES

SYSTEM = ReplicaSystem(
    name="train_ticket",
    package=__name__,
    services=SERVICES,
    stores=STORES,
    entry=GATEWAY,
    seed="seed:fill",
)
