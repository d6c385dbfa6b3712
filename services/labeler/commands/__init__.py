"""What changes something: check a request against the tables, publish an event, wait for its outcome."""
