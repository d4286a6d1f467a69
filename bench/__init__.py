"""What a message costs, in time and in money, against what Postgres and the network allow; `make bench`.

__main__     the command line             trips       round trips to Postgres
run          all figures, one after       throughput  webhooks a second, beside pgbench's
             another, in one run          latency     one webhook over a network, beside the barest one
figure       one of them, and its mark    growth      ten thousand messages, and a million
record       what is kept of a run        imports     where a cold start goes
rounds       contenders in turn           cold        first invocations, beside the naive stack's
table        figures as text              delivery    from queued to sent
picture      and as SVG                   powertools  what the framework takes of a webhook
cost         and as dollars               load        over HTTP, for `make bench-load`

runtime      the interpreter and the layer as they are deployed
environment  a process that runs one function in it; inside are worker and first, which requests serves
bare, naive  the functions that ours are measured against
database     Postgres, filled; pgbench; network, its delay; aws, as far as it is called
"""
