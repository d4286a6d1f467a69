"""The same webhook as it is usually written: Powertools with its tracer, boto3, SQLAlchemy's ORM, and pg8000
with its defaults. It receives and stores the same as this service."""

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import BaseModel, Field
from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Text, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from standardwebhooks import Webhook

logger, metrics, tracer = Logger(), Metrics(), Tracer()
app = APIGatewayHttpResolver(enable_validation=True)
queue = boto3.client("sqs")
secrets = boto3.client("secretsmanager")
_url = urlsplit(os.environ["DATABASE_URL"])
engine = create_engine(f"postgresql+pg8000://{_url.netloc}{_url.path}")


class Base(DeclarativeBase):
    pass


class Contact(Base):
    __tablename__ = "contacts"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)


class ContactAddress(Base):
    __tablename__ = "contact_addresses"
    account_id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"))


class Conversation(Base):
    __tablename__ = "conversations"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int]
    customer_address: Mapped[str]
    contact_address: Mapped[str]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"))
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    last_message_at: Mapped[datetime]


class Message(Base):
    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int]
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    direction: Mapped[str]
    type: Mapped[str]
    status: Mapped[str]
    body: Mapped[str]
    attachments: Mapped[list[str]] = mapped_column(JSONB)
    timestamp: Mapped[datetime]
    size: Mapped[int]
    provider: Mapped[str]
    inbound_key: Mapped[str]


class Request(Base):
    __tablename__ = "webhook_requests"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int]
    route: Mapped[str]
    provider: Mapped[str]
    received_at: Mapped[datetime]
    verified_at: Mapped[datetime]
    url: Mapped[str]
    query: Mapped[str]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes]
    digest: Mapped[bytes]


class Inbound(BaseModel):
    sender: str = Field(alias="from")
    recipient: str = Field(alias="to")
    type: str
    messaging_provider_id: str
    body: str
    attachments: list[str] | None
    timestamp: datetime


@app.post("/api/webhooks/sms")
@tracer.capture_method
def receive(inbound: Inbound) -> Response[str]:
    event = app.current_event
    text = event.body or ""
    fields = json.loads(secrets.get_secret_value(SecretId=os.environ["PROVIDER_SECRET_ARN"])["SecretString"])
    Webhook(fields["sms"]["signing_secret"]).verify(text.encode(), dict(event.headers))
    with Session(engine) as session, session.begin():
        message = _store(session, inbound)
        _store_request(session, text.encode())
        stored = {"id": message.id, "conversation_id": message.conversation_id, "body": message.body}
    logger.info("Received", extra={"message_id": stored["id"]})
    metrics.add_metric("Inbound", MetricUnit.Count, 1)
    return Response(200, "application/json", json.dumps(stored))


def _store(session: Session, inbound: Inbound) -> Message:
    now = datetime.now(UTC)
    same_id = select(Message).filter_by(inbound_key=f"sms={inbound.messaging_provider_id}")
    if message := session.scalars(same_id).one_or_none():
        return message
    pair = {"account_id": 1, "customer_address": inbound.recipient, "contact_address": inbound.sender}
    thread = session.scalars(select(Conversation).filter_by(**pair)).one_or_none()
    if thread is None:
        contact = Contact()
        session.add(contact)
        session.flush()
        session.add(ContactAddress(account_id=1, address=inbound.sender, contact_id=contact.id))
        thread = Conversation(**pair, contact_id=contact.id, types=["sms"], last_message_at=now)
        session.add(thread)
        session.flush()
    thread.last_message_at = now
    message = Message(
        account_id=1,
        conversation_id=thread.id,
        direction="inbound",
        type=inbound.type,
        status="received",
        body=inbound.body,
        attachments=inbound.attachments or [],
        timestamp=inbound.timestamp,
        size=len(inbound.body),
        provider="sms",
        inbound_key=f"sms={inbound.messaging_provider_id}",
    )
    session.add(message)
    session.flush()
    return message


def _store_request(session: Session, body: bytes) -> None:
    event, now = app.current_event, datetime.now(UTC)
    request = Request(
        account_id=1,
        route="sms",
        provider="sms",
        received_at=now,
        verified_at=now,
        url=event.path,
        query="",
        headers=dict(event.headers),
        body=body,
        digest=hashlib.sha256(b"\0" + body).digest()[:16],
    )
    session.add(request)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
