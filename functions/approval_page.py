"""Reads a request of the HTTP API. Gives the page that answers it.

What AWS refuses is a page with status 503, not an exception; it is logged and counted all the same.
"""

from autorepair.steps.approval_page import PageRequest, approval_page
from autorepair.wiring import handler_for

handler = handler_for(PageRequest, approval_page, uses=("dynamodb", "stepfunctions"))
