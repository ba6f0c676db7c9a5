"""The emulated account: moto behind a middleware that is as strict as AWS is."""
