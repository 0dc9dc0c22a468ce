"""Which meters of a house measure its solar, load and utility, and the meter worked out of them."""
