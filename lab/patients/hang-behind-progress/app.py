"""Exports a ledger page by page; the archive that takes the last page never answers."""

import socket
import time

SECONDS_PER_PAGE = 0.45


def handler(event, context):
    with socket.create_server(("127.0.0.1", 0)) as archive:
        archive.listen()
        for page in range(1, event["pages"]):
            time.sleep(SECONDS_PER_PAGE)  # stands for the writing of one page
            print(f"exported page {page} of {event['pages']}")
        with socket.create_connection(archive.getsockname()) as call:
            call.recv(1)  # nobody ever answers
    return {"pages": event["pages"]}
