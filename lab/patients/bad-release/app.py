"""Prices a basket; this release reads a field that baskets do not have."""


def handler(event, context):
    print(f"pricing a basket of {event['net']}")
    return {"gross": event["net"] + event["tax"]["amount"]}
