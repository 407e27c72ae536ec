"""ROOT files below any meaning: opened with checks, arrays taken from their baskets, trees written in blocks."""
