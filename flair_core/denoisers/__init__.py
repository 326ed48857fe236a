"""Networks that predict the noise in x_t, and what they are given with it."""
