"""What happens to a message that we send."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from tables.columns import account_id, id_, metadata, time

CHURN = {"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02}
"""For a small table whose rows come and go with every message."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", BigInteger, primary_key=True, server_default="1"),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column(
        "message_id", ForeignKey("messages.id"), comment="null only inside the transaction that writes both"
    ),
    time("created_at", default=True),
    Index("idempotency_keys_created_at_idx", "created_at"),
)

outbound_queue = Table(
    "outbound_queue",
    metadata,
    account_id(),
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, comment="unknown outcome: next check"),
    Column("dispatch_at", DateTime(timezone=True), nullable=False, comment="when the relay dispatches it"),
    Column("dispatch_count", SmallInteger, nullable=False, server_default="0", comment="by the relay"),
    Index("outbound_queue_dispatch_idx", "account_id", "dispatch_at"),
    postgresql_with=CHURN,
)
"""A row for each message that waits: for an attempt (queued), or for its provider to be asked (unknown).

There is no foreign key, because its check would lock the message's row once more. A function that deletes a
row here or in leases has locked the message's row before.
"""

leases = Table(
    "leases",
    metadata,
    account_id(),
    Column("conversation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_id", BigInteger, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("leases_expires_at_idx", "expires_at"),
    postgresql_with=CHURN,
)
"""A row for each message that is being sent: at most one of a conversation."""

attempts = Table(
    "attempts",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    account_id(),
    Column("token", Uuid, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("provider_message_id", Text, comment="also in provider_message_ids"),
    Column("outcome", Text, comment="the status that it ended in; null while it is open"),
    Column("failure", Text, comment="the kind of its failure; null if the provider took the message"),
    time("started_at", default=True),
    time("ended_at"),
    Column("retry_at", DateTime(timezone=True), comment="throttled: the provider asks not to retry before"),
    CheckConstraint(
        "failure IN ('temporary', 'throttled', 'unready', 'misconfigured', 'sender_not_allowed',"
        " 'permanent', 'unsendable', 'opted_out', 'unknown')",
        name="failure",
    ),
    Index("attempts_recent_idx", "provider", "started_at"),
    postgresql_with={"fillfactor": 92},
)
"""No index contains a column that recording an attempt changes, so that the update is HOT."""

provider_message_ids = Table(
    "provider_message_ids",
    metadata,
    account_id(),
    Column("provider", Text, primary_key=True),
    Column("provider_message_id", Text, primary_key=True),
    Column("message_id", BigInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
)
"""Which attempt a provider's id belongs to. It is not an index of attempts, because recording an attempt
would then write every index of attempts."""

circuits = Table(
    "circuits",
    metadata,
    # A circuit belongs to no account, as all accounts share the provider.
    Column("provider", Text, primary_key=True),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    time("open_until"),
    Column("openings", SmallInteger, nullable=False, server_default="0"),
)
"""Circuit breakers. A circuit is closed if its provider has no row, or no `open_until`."""

message_events = Table(
    "message_events",
    metadata,
    id_(),
    account_id(),
    Column("message_id", ForeignKey("messages.id"), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("status", Text),
    Column("code", Text),
    Column("reason", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False, comment="by the provider's clock"),
    time("created_at", default=True),
    CheckConstraint("kind IN ('attempt', 'report', 'resolved')", name="kind"),
    Index("message_events_message_idx", "message_id", "id"),
    Index(  # so that the same report again adds nothing
        "message_events_report_key",
        *("message_id", "attempt", "provider", "status", "code", "occurred_at"),
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=text("kind = 'report'"),
    ),
)
