"""Who writes to whom, and what was written."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tables.columns import account_id, id_, metadata, time

contacts = Table("contacts", metadata, id_(), account_id(), time("created_at", default=True))

contact_addresses = Table(
    "contact_addresses",
    metadata,
    Column("account_id", BigInteger, primary_key=True, server_default="1"),
    Column("address", Text, primary_key=True),
    Column("contact_id", ForeignKey("contacts.id"), nullable=False, index=True),
    time("created_at", default=True),
)

conversations = Table(
    "conversations",
    metadata,
    id_(),
    account_id(),
    Column("customer_address", Text, nullable=False),
    Column("contact_address", Text, nullable=False),
    Column("contact_id", ForeignKey("contacts.id"), nullable=False),
    Column("types", ARRAY(Text), nullable=False, comment="of the messages that it holds, each once"),
    time("created_at", default=True),
    time("last_message_at", default=True),
    # The contact comes first: the index also finds the conversations of a contact, of which there are at most
    # as many as the account has addresses.
    UniqueConstraint("account_id", "contact_address", "customer_address"),
    Index("conversations_activity_idx", "account_id", "last_message_at", "id"),
    Index("conversations_customer_activity_idx", "account_id", "customer_address", "last_message_at", "id"),
    *(
        Index(
            f"conversations_{channel}_activity_idx",
            "account_id",
            "last_message_at",
            "id",
            postgresql_where=text(f"'{channel}' = ANY (types)"),
        )
        for channel in ("sms", "mms", "email")
    ),
    postgresql_with={"fillfactor": 70},  # each message updates the row: there is room for it on its page
)

conversation_participants = Table(
    "conversation_participants",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    account_id(),
    Column("role", Text, nullable=False),
    time("created_at", default=True),
    CheckConstraint("role IN ('customer', 'contact', 'cc')", name="role"),
)

messages = Table(
    "messages",
    metadata,
    id_(),
    account_id(),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("from_name", Text),
    Column("to_name", Text),
    Column("cc", JSONB, nullable=False, server_default="[]"),
    Column("cc_names", JSONB, comment="by address"),
    Column("reply_to", Text),
    Column("reply_to_name", Text),
    Column("headers", JSONB, nullable=False, server_default="{}"),
    Column("subject", Text),
    Column("body", Text, nullable=False),
    Column("html", Text),
    Column("attachments", JSONB, nullable=False),
    Column("timestamp", DateTime(timezone=True), nullable=False, comment="the caller's or the provider's"),
    Column(
        "size",
        Integer,
        nullable=False,
        comment="bytes of its content as JSON in JSON, as Lambda answers: what a page is cut by",
    ),
    Column("provider", Text, nullable=False),
    Column(
        "providers",
        ARRAY(Text),
        comment="outbound: all that may carry it, in the order in which they are tried",
    ),
    Column("provider_message_id", Text, comment="outbound: the provider's id; see also id_at_provider()"),
    Column("inbound_key", Text, comment="inbound: the provider and its id; see inbound_key()"),
    Column(
        "webhook_request_id", BigInteger, comment="inbound: the request that it came in; deleted before it is"
    ),
    Column("delivery_policy", Text, comment="outbound"),
    Column("extra", JSONB, comment="inbound: what else the provider said"),
    Column("error_code", Text),
    Column("error_reason", Text),
    Column("request_token", Uuid, comment="outbound: made by the accepting call"),
    Column("report_rank", SmallInteger, nullable=False, server_default="0", comment="of the highest report"),
    Column("attempt_count", SmallInteger, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="1", comment="grows with every change"),
    time("created_at", default=True),
    time("updated_at", default=True),
    CheckConstraint(
        "direction = 'outbound' AND status IN"
        " ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown')"
        " OR direction = 'inbound' AND status = 'received'",
        name="status",
    ),
    CheckConstraint(
        "CASE direction WHEN 'inbound' THEN inbound_key IS NOT NULL AND provider_message_id IS NULL"
        " ELSE inbound_key IS NULL END",
        name="inbound_key",
    ),
    CheckConstraint("type IN ('sms', 'mms', 'email')", name="type"),
    CheckConstraint("delivery_policy IN ('at_most_once', 'at_least_once')", name="delivery_policy"),
    CheckConstraint(
        "direction = 'inbound' OR coalesce(cardinality(providers), 0) > 0 AND delivery_policy IS NOT NULL",
        name="outbound",
    ),
    Index("messages_page_idx", "conversation_id", "id"),
    Index(
        "messages_request_token_key",
        "request_token",
        unique=True,
        postgresql_where=text("request_token IS NOT NULL"),
    ),
    Index(
        "messages_inbound_key", "inbound_key", unique=True, postgresql_where=text("inbound_key IS NOT NULL")
    ),
    postgresql_with={"fillfactor": 89},
)
"""No index contains a column that delivery or a report changes, so that these updates are HOT: they write no
index. The work that remains for a message is in outbound_queue and leases."""
