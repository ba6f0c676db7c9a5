"""Averages the ratings of a product; nobody thought of one without any."""


def handler(event, context):
    ratings = event["ratings"]
    print(f"averaging {len(ratings)} ratings of {event['product']}")
    return {"product": event["product"], "average": sum(ratings) / len(ratings)}
