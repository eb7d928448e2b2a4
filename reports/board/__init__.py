"""What the board reads: cards, holders and applications by place and over time."""
