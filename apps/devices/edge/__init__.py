"""What edge agents say to us: envelopes, batches of readings, events, and the device list they run."""
