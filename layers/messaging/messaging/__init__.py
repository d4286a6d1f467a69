"""SMS, MMS and email through any provider, shown as one conversation.

Read the modules in this order; a module imports only from those before it, and `tables` to `views` alone
know SQLAlchemy:

    problems settings telemetry address fields models raw
    tables database store attempts arrivals cursor views
    providers queue spool outbox inbox web consumer receiver

What goes out passes `outbox`, what comes in passes `inbox`; neither knows the other. `store` and
`providers` do not know each other either: one speaks to Postgres, the other to the vendors.
"""
