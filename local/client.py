"""HTTP calls to this machine, which a proxy that the environment names must not get to see."""

from urllib.request import ProxyHandler, build_opener

opener = build_opener(ProxyHandler({}))
