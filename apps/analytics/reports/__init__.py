"""Reports of a house's solar, battery, EV and load: a period's figures beside those of the one before."""
