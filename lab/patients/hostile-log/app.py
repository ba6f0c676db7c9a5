"""Files messages from the contact form; it prints what strangers write, and stumbles over it."""


def handler(event, context):
    for line in event["message"]:
        print(line)
    return {"filed": len(event["message"]), "reply_to": event["sender"]["address"]}
