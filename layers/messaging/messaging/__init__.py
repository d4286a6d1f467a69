"""SMS, MMS and email through any provider, shown as conversations.

Read the modules in this order. A package imports only from the packages above it, and a module only from
the modules before it. tests/test_shape.py reads this list and enforces it.

    vocabulary     problems telemetry settings email_address address fields names models failures
    aws            signed_client secrets boto_clients
    postgres       driver database uuid7 cursor
    transport      client fetch base64_text payload signatures redact aws_call sns
    mail           defects transfer_encoding charset_labels decoders charset_guess charset header_text
    mail           addresses sender address_header parameters files mime declaration body multipart uuencode
    mail           parts message form_data form inbound
    providers      limits provider credentials VENDORS
    accounts       caller models keys store
    conversations  responses reads
    inbound        webhook_request faults media spool store responses unread receive
    inbound        replay
    outbound       attempts queue store retries dispatch attempt_log circuits accept
    outbound       status_lookup recording delivery
    maintenance    relay
    handlers       lambda_types http api walks queue webhook

`outbound` and `inbound` do not know each other. Nor do the packages that speak to Postgres and `providers`.
"""

__version__ = "0.1.0"
