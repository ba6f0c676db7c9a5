"""Asks a partner for a tax rate; the partner accepts the call and never answers."""

import socket


def silent_partner():
    """Open a port on which calls are accepted and nobody ever answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.listen()
    return listener


def handler(event, context):
    with silent_partner() as partner:
        print(f"calling rates.partner.example for {event['country']}")
        with socket.create_connection(partner.getsockname()) as call:
            call.sendall(b"GET /rates HTTP/1.1\r\nHost: rates.partner.example\r\n\r\n")
            answer = call.recv(1024)  # without a time-out of its own, as so often
    return {"country": event["country"], "answer": len(answer)}
