"""Imports a neighbouring function, which does not exist in Lambda."""

from functions.echo import app as echo

handler = echo.handler
