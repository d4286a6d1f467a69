"""Imports a function beside it, which in Lambda is not there."""

from functions.echo import app as echo

handler = echo.handler
