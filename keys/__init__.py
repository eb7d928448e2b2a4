"""Private keys and where they live; the only home of key generation off the card."""
