"""Lambda: a pool of processes for each function, and the worker inside each of them."""
