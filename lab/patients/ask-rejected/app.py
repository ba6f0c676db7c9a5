"""Sends reminders; a person says that its timeout has to stay."""

import time

SECONDS_PER_REMINDER = 0.45


def handler(event, context):
    for reminder in range(1, event["reminders"] + 1):
        time.sleep(SECONDS_PER_REMINDER)  # stands for the sending of one reminder
        print(f"wrote reminder {reminder} of {event['reminders']}")
    return {"reminders": event["reminders"]}
