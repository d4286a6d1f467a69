"""SMS, MMS and email through any provider, shown as one conversation.

Read the modules in this order; a module imports only from those before it, and `driver` to `views` alone
know Postgres:

    problems callers telemetry settings amazon secrets clients address fields models pages tenancy raw
    driver database store attempts arrivals keys accounts health cursor views
    providers queue spool media outbox delivery inbox http hooks web consumer receiver

What goes out passes `outbox` and `delivery`, what comes in passes `inbox`; the two sides do not know each
other. Nor do `store` and `providers`: one speaks to Postgres, the other to the vendors.
"""
