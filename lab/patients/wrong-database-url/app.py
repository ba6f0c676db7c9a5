"""Lists the bookings of a day; somebody pasted the wrong text into the database's address."""

import os
from urllib.parse import urlsplit


class ArgumentError(Exception):
    """What SQLAlchemy raises for an address that it cannot parse."""


def create_engine(url):
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        raise ArgumentError("Could not parse SQLAlchemy URL from given URL string")
    return f"{parts.scheme} at {parts.hostname}"


def handler(event, context):
    engine = create_engine(os.environ["DATABASE_URL"])
    print(f"bookings of {event['day']} from {engine}")
    return {"day": event["day"], "bookings": 3}
