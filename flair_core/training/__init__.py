"""Training of the compact model: data, degradations drawn at random, and the two stages of section 4.1."""
