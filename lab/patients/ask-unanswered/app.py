"""Indexes articles; nobody answers the question whether its timeout may be raised."""

import time

SECONDS_PER_ARTICLE = 0.45


def handler(event, context):
    for article in range(1, event["articles"] + 1):
        time.sleep(SECONDS_PER_ARTICLE)  # stands for the indexing of one article
        print(f"indexed article {article} of {event['articles']}")
    return {"articles": event["articles"]}
