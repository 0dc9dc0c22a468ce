"""The edge agent: reads a house's devices, spools what they say, and delivers it when there is a network."""
