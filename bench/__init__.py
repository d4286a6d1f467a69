"""Measures what a message costs in time and in money, beside what Postgres and the network allow.

A package imports only from the packages above it, and a module only from the modules before it.
tests/test_shape.py reads this list and enforces it.

    vocabulary  figure
    harness     events locustfile worker cold_start bare naive network rounds runtime
    harness     aws database environment testbed pgbench
    figures     imports powertools cold latency cost throughput growth trips writes delivery load
    readers     reader node mails archives comparison
    report      table picture record run
    entry       __main__
"""
