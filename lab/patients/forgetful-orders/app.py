"""Stores an order; the last deployment lost the name of the table."""

import os


def handler(event, context):
    table = os.environ["ORDERS_TABLE"]
    print(f"storing order {event['order']} in {table}")
    return {"order": event["order"], "table": table}
