"""One use case per state of the state machine: ports and values in, the value of its key out."""
