"""What all tables have in common: the names of their constraints, and the columns that most of them have."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, func

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def id_() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def account_id() -> Column[int]:
    return Column("account_id", BigInteger, nullable=False, server_default="1")


def time(name: str, *, default: bool = False) -> Column[object]:
    """With `default`, the time when the row is written: a transaction that waited began earlier."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not default,
        server_default=func.clock_timestamp() if default else None,
    )
