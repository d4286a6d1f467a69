"""HTTP on this machine: a small server, and a client that ignores proxies."""
