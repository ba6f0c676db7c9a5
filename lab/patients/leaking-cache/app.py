"""Resolves sessions and keeps every one of them for ever, in a cache without a bound."""

MEGABYTE = 1024 * 1024
CACHE = []


def handler(event, context):
    CACHE.append(bytearray(b"s" * event["megabytes"] * MEGABYTE))
    print(f"{len(CACHE)} sessions in the cache")
    return {"sessions": len(CACHE)}
