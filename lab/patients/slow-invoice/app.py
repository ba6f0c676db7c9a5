"""Renders an invoice page by page; the timeout was set when invoices had two pages."""

import time

SECONDS_PER_PAGE = 0.7


def handler(event, context):
    pages = event["pages"]
    for page in range(1, pages + 1):
        time.sleep(SECONDS_PER_PAGE)  # stands for the rendering of one page
        print(f"rendered page {page} of {pages} of invoice {event['invoice']}")
    return {"invoice": event["invoice"], "pages": pages}
