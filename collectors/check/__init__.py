"""The conformance suite: what every kind of device must bear, tried on its driver with its simulator."""
